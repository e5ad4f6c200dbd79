//! [`Affine`]: straight maps of the plane.

/// x' = xx·x + xy·y + x, y' = yx·x + yy·y + y; pixel (0, 0) covers 0..1 in both directions, y points down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine {
    pub xx: f64,
    pub xy: f64,
    pub yx: f64,
    pub yy: f64,
    pub x: f64,
    pub y: f64,
}

impl Affine {
    pub const IDENTITY: Self = Self::new([1.0, 0.0, 0.0, 1.0], [0.0, 0.0]);

    /// From the matrix by rows and the translation.
    pub const fn new([xx, xy, yx, yy]: [f64; 4], [x, y]: [f64; 2]) -> Self {
        Self { xx, xy, yx, yy, x, y }
    }

    pub const fn translation(x: f64, y: f64) -> Self {
        Self::new([1.0, 0.0, 0.0, 1.0], [x, y])
    }

    pub const fn scaling(x: f64, y: f64) -> Self {
        Self::new([x, 0.0, 0.0, y], [0.0, 0.0])
    }

    /// Clockwise on the screen, in radians. Quarter turns are exact.
    pub fn rotation(angle: f64) -> Self {
        let quarters = angle / std::f64::consts::FRAC_PI_2;
        let (sin, cos) = match quarters.round() {
            whole if (quarters - whole).abs() < 1e-12 => match whole.rem_euclid(4.0) as u8 {
                0 => (0.0, 1.0),
                1 => (1.0, 0.0),
                2 => (0.0, -1.0),
                _ => (-1.0, 0.0),
            },
            _ => angle.sin_cos(),
        };
        Self::new([cos, -sin, sin, cos], [0.0, 0.0])
    }

    /// The map that does `self` first and `next` then.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        let [x, y] = next.apply([self.x, self.y]);
        Self {
            xx: next.xx * self.xx + next.xy * self.yx,
            xy: next.xx * self.xy + next.xy * self.yy,
            yx: next.yx * self.xx + next.yy * self.yx,
            yy: next.yx * self.xy + next.yy * self.yy,
            x,
            y,
        }
    }

    /// The same map with `centre` in the place of the origin.
    #[must_use]
    pub fn about(self, [x, y]: [f64; 2]) -> Self {
        Self::translation(-x, -y).then(self).then(Self::translation(x, y))
    }

    pub fn apply(self, [x, y]: [f64; 2]) -> [f64; 2] {
        [self.xx * x + self.xy * y + self.x, self.yx * x + self.yy * y + self.y]
    }

    /// `None` if the plane is squeezed into a line or a point, or something is not finite.
    pub fn inverse(self) -> Option<Self> {
        let determinant = self.xx * self.yy - self.xy * self.yx;
        if !determinant.is_finite() || determinant.abs() < 1e-12 || !self.x.is_finite() || !self.y.is_finite() {
            return None;
        }
        let matrix = [self.yy, -self.xy, -self.yx, self.xx].map(|v| v / determinant);
        let turned = Self::new(matrix, [0.0, 0.0]);
        let [x, y] = turned.apply([-self.x, -self.y]);
        Some(Self::new(matrix, [x, y]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quarter_turns_are_exact_and_clockwise() {
        let quarter = Affine::rotation(std::f64::consts::FRAC_PI_2);
        assert_eq!(quarter.apply([1.0, 0.0]), [0.0, 1.0]);
        assert_eq!(quarter.then(quarter).then(quarter).then(quarter), Affine::IDENTITY);
        assert_eq!(quarter.about([2.0, 3.0]).apply([2.0, 3.0]), [2.0, 3.0]);
        assert_eq!(Affine::scaling(0.0, 1.0).inverse(), None);
    }

    proptest! {
        #[test]
        fn the_inverse_leads_back(angle in -7.0..7.0f64, sx in 0.1..9.0f64, sy in -9.0..-0.1f64, x in -99.0..99.0f64, y in -99.0..99.0f64) {
            let map = Affine::scaling(sx, sy).then(Affine::rotation(angle)).then(Affine::translation(x, y));
            let there = map.apply([y, x]);
            let back = map.inverse().unwrap().apply(there);
            prop_assert!((back[0] - y).abs() < 1e-6 && (back[1] - x).abs() < 1e-6);
        }
    }
}
