// The canvas, one fragment at a time. Colours are sRGB values as stored, premultiplied: blended as egui blends.
//
// Every sample is an area average: a screen pixel is a box of `width` texels of one level of the pyramid. Above 1:1 the
// box is narrower than a texel, so that texels are crisp and only their edges are smoothed; below 1:1 the level is
// chosen so that the box is between one and two texels wide. Texels are loaded one by one, through the table of tiles:
// no sampler, hence no seams between tiles and no differences between graphics cards.

struct View {
    // Canvas pixels per screen pixel: columns (x.x, x.y), (y.x, y.y).
    matrix: vec4<f32>,
    // A screen point, and the same point on the canvas less `anchor`.
    pivot: vec2<f32>,
    pivot_canvas: vec2<f32>,
    // A corner of a tile near the middle of the screen: numbers relative to it are small, hence precise.
    anchor: vec2<i32>,
    extent: vec2<i32>,
    // Slots of a page: columns, rows; the level of the pyramid, and that of the outline.
    slots: vec2<i32>,
    level: i32,
    ants_level: i32,
    // Screen pixels per canvas pixel; box in texels of the level; side of a check in pixels; opacity of the grid.
    scale: f32,
    width: f32,
    check: f32,
    grid: f32,
    // Stripes of the outline: shift and width in pixels (0: no outline); the mask's opacity; the preview's.
    ants_shift: f32,
    ants_width: f32,
    mask: f32,
    preview: f32,
    // The preview on the canvas, relative to the anchor: left, top, width, height.
    preview_place: vec4<f32>,
    // Top left corner of the view on the screen; left of `split` is before; unused.
    origin: vec2<f32>,
    split: f32,
    unused: f32,
    ground: vec4<f32>,
    check_light: vec4<f32>,
    check_dark: vec4<f32>,
    mask_color: vec4<f32>,
};

@group(0) @binding(0) var<uniform> view: View;
// One texel a tile: (0, value) is flat, (n, _) is slot n - 1, (THROUGH, _) is what the picture has.
@group(0) @binding(1) var table: texture_2d_array<u32>;
@group(0) @binding(2) var colors: texture_2d_array<f32>;
@group(0) @binding(3) var coverages: texture_2d_array<f32>;
@group(0) @binding(4) var preview: texture_2d<f32>;

// What a view may have: set when its pipeline is made, so that what it has not costs nothing, on software drivers either.
// Texels in each direction that a screen pixel may touch; 1 where they coincide with screen pixels.
override TAPS: i32 = 3;
override MASKED: bool = true;
override PREVIEWED: bool = true;
override OUTLINED: bool = true;

const PICTURE: i32 = 0;
const BEFORE: i32 = 1;
const MASK: i32 = 2;
const SELECTION: i32 = 3;
const THROUGH: u32 = 0xffffffffu;
const SIDE_LOG: u32 = 6u;
const SIDE: i32 = 64;
const SLOT_HEIGHT: i32 = 96;

@vertex
fn cover(@builtin(vertex_index) index: u32) -> @builtin(position) vec4<f32> {
    let corner = vec2<f32>(f32(index & 1u), f32(index >> 1u)) * 4.0 - 1.0;
    return vec4<f32>(corner, 0.0, 1.0);
}

// Where a texel of a level lies in its page: (x, y, page).
fn place(slot: u32, texel: vec2<i32>, level: i32) -> vec3<i32> {
    let per_page = view.slots.x * view.slots.y;
    let rest = i32(slot) % per_page;
    let corner = vec2<i32>(rest / view.slots.y * SIDE, rest % view.slots.y * SLOT_HEIGHT);
    let inside = texel & vec2<i32>((SIDE >> u32(level)) - 1);
    let shift = select(vec2<i32>(SIDE - ((2 * SIDE) >> u32(level)), SIDE), vec2<i32>(0), level == 0);
    return vec3<i32>(corner + shift + inside, i32(slot) / per_page);
}

fn last_texel(level: i32) -> vec2<i32> {
    return (view.extent - 1) >> vec2<u32>(u32(level));
}

fn tile_of(texel: vec2<i32>, level: i32) -> vec2<i32> {
    return texel >> vec2<u32>(SIDE_LOG - u32(level));
}

fn color_at(plane: i32, wanted: vec2<i32>, level: i32) -> vec4<f32> {
    let texel = clamp(wanted, vec2<i32>(0), last_texel(level));
    let tile = tile_of(texel, level);
    var entry = textureLoad(table, tile, plane, 0).xy;
    if entry.x == THROUGH {
        entry = textureLoad(table, tile, PICTURE, 0).xy;
    }
    if entry.x == 0u {
        return unpack4x8unorm(entry.y);
    }
    let at = place(entry.x - 1u, texel, level);
    return textureLoad(colors, at.xy, at.z, 0);
}

fn coverage_at(plane: i32, wanted: vec2<i32>, level: i32) -> f32 {
    let texel = clamp(wanted, vec2<i32>(0), last_texel(level));
    let entry = textureLoad(table, tile_of(texel, level), plane, 0).xy;
    if entry.x == 0u {
        return f32(entry.y) / 255.0;
    }
    let at = place(entry.x - 1u, texel, level);
    return textureLoad(coverages, at.xy, at.z, 0).r;
}

// The box of a screen pixel over texels of the level: the first texel and the shares of three in each direction.
struct Footprint {
    first: vec2<i32>,
    x: vec3<f32>,
    y: vec3<f32>,
};

fn shares(low: f32) -> vec3<f32> {
    let edges = vec3<f32>(0.0, 1.0, 2.0);
    let begin = max(vec3<f32>(low), edges);
    let end = min(vec3<f32>(low + view.width), edges + 1.0);
    return max(end - begin, vec3<f32>(0.0)) / view.width;
}

fn footprint(at: vec2<f32>) -> Footprint {
    if TAPS == 1 {
        let whole = vec3<f32>(1.0, 0.0, 0.0);
        return Footprint(vec2<i32>(floor(at)) + view.anchor, whole, whole);
    }
    let low = at * exp2(-f32(view.level)) - 0.5 * view.width;
    let first = floor(low);
    let inside = low - first;
    let anchor = view.anchor >> vec2<u32>(u32(view.level));
    return Footprint(vec2<i32>(first) + anchor, shares(inside.x), shares(inside.y));
}

fn color_mean(plane: i32, box: Footprint) -> vec4<f32> {
    var sum = vec4<f32>(0.0);
    for (var y = 0; y < TAPS; y++) {
        for (var x = 0; x < TAPS; x++) {
            let share = box.x[x] * box.y[y];
            if share > 0.0 {
                sum += share * color_at(plane, box.first + vec2<i32>(x, y), view.level);
            }
        }
    }
    return sum;
}

fn coverage_mean(plane: i32, box: Footprint) -> f32 {
    var sum = 0.0;
    for (var y = 0; y < TAPS; y++) {
        for (var x = 0; x < TAPS; x++) {
            let share = box.x[x] * box.y[y];
            if share > 0.0 {
                sum += share * coverage_at(plane, box.first + vec2<i32>(x, y), view.level);
            }
        }
    }
    return sum;
}

// How much of a screen pixel lies in a rectangle of the canvas.
fn cover_of(at: vec2<f32>, low: vec2<f32>, high: vec2<f32>) -> f32 {
    let near = clamp(min(at - low, high - at) * view.scale + 0.5, vec2<f32>(0.0), vec2<f32>(1.0));
    return near.x * near.y;
}

// Mitchell and Netravali's cubic (B = C = 1/3), which hardly rings or blurs: shares of the four texels round `t`, 0 to 1.
fn mitchell(t: f32) -> vec4<f32> {
    let near = vec2<f32>(t, 1.0 - t);
    let far = near + 1.0;
    let inner = (7.0 * near * near * near - 12.0 * near * near + 16.0 / 3.0) / 6.0;
    let outer = (-7.0 / 3.0 * far * far * far + 12.0 * far * far - 20.0 * far + 32.0 / 3.0) / 6.0;
    return vec4<f32>(outer.x, inner.x, inner.y, outer.y);
}

fn preview_at(at: vec2<f32>) -> vec4<f32> {
    let size = vec2<i32>(textureDimensions(preview, 0));
    let spot = (at - view.preview_place.xy) / view.preview_place.zw * vec2<f32>(size) - 0.5;
    let first = vec2<i32>(floor(spot)) - 1;
    let x = mitchell(fract(spot.x));
    let y = mitchell(fract(spot.y));
    var sum = vec4<f32>(0.0);
    for (var j = 0; j < 4; j++) {
        for (var i = 0; i < 4; i++) {
            let texel = clamp(first + vec2<i32>(i, j), vec2<i32>(0), size - 1);
            sum += x[i] * y[j] * textureLoad(preview, texel, 0);
        }
    }
    let color = clamp(sum, vec4<f32>(0.0), vec4<f32>(1.0));
    return vec4<f32>(min(color.rgb, vec3<f32>(color.a)), color.a);
}

fn selected(texel: vec2<i32>) -> bool {
    if any(texel < vec2<i32>(0)) || any(texel > last_texel(view.ants_level)) {
        return false;
    }
    return coverage_at(SELECTION, texel, view.ants_level) >= 0.5;
}

// True on the inner side of the selection's edge.
fn on_outline(at: vec2<f32>) -> bool {
    let spot = at * exp2(-f32(view.ants_level));
    let texel = vec2<i32>(floor(spot)) + (view.anchor >> vec2<u32>(u32(view.ants_level)));
    if !selected(texel) {
        return false;
    }
    let size = view.scale * exp2(f32(view.ants_level));
    let low = (spot - floor(spot)) * size;
    let high = size - low;
    let reach = view.ants_width;
    return (low.x < reach && !selected(texel - vec2<i32>(1, 0)))
        || (high.x < reach && !selected(texel + vec2<i32>(1, 0)))
        || (low.y < reach && !selected(texel - vec2<i32>(0, 1)))
        || (high.y < reach && !selected(texel + vec2<i32>(0, 1)));
}

// How much of a screen pixel lies on the lines, one pixel wide, that begin at whole canvas coordinates.
fn grid_at(at: vec2<f32>) -> f32 {
    let after = (at - floor(at)) * view.scale;
    let here = clamp(1.5 - after, vec2<f32>(0.0), vec2<f32>(1.0)) * clamp(after + 0.5, vec2<f32>(0.0), vec2<f32>(1.0));
    let next = clamp(after + 0.5 - view.scale, vec2<f32>(0.0), vec2<f32>(1.0));
    let lines = min(here + next, vec2<f32>(1.0));
    return max(lines.x, lines.y);
}

fn shade(screen: vec2<f32>) -> vec4<f32> {
    let from_pivot = screen - view.pivot;
    let at = view.matrix.xy * from_pivot.x + view.matrix.zw * from_pivot.y + view.pivot_canvas;
    let anchor = vec2<f32>(view.anchor);
    let cover = cover_of(at, -anchor, vec2<f32>(view.extent) - anchor);
    if cover <= 0.0 {
        return view.ground;
    }

    let check = vec2<i32>(floor((screen - view.origin) / view.check));
    var color = select(view.check_light, view.check_dark, ((check.x + check.y) & 1) == 1);
    let before = screen.x < view.split;
    let box = footprint(at);
    let picture = color_mean(select(PICTURE, BEFORE, before), box);
    color = picture + color * (1.0 - picture.a);

    if PREVIEWED && !before && view.preview > 0.0 {
        let inside = cover_of(at, view.preview_place.xy, view.preview_place.xy + view.preview_place.zw);
        if inside > 0.0 {
            let over = preview_at(at) * inside * view.preview;
            color = over + color * (1.0 - over.a);
        }
    }
    if MASKED && !before && view.mask > 0.0 {
        let over = coverage_mean(MASK, box) * view.mask;
        color = mix(color, view.mask_color, over);
    }
    if view.grid > 0.0 {
        let light = dot(color.rgb, vec3<f32>(0.299, 0.587, 0.114));
        let line = vec3<f32>(select(1.0, 0.0, light > 0.5));
        color = vec4<f32>(mix(color.rgb, line, grid_at(at) * view.grid), color.a);
    }
    if OUTLINED && view.ants_width > 0.0 {
        if on_outline(at) {
            let stripe = 4.0 * view.ants_width;
            let along = floor((screen.x + screen.y - view.ants_shift) / stripe);
            color = vec4<f32>(vec3<f32>(select(1.0, 0.0, (i32(along) & 1) == 1)), 1.0);
        }
    }
    return mix(view.ground, color, cover);
}

@fragment
fn to_gamma(@builtin(position) position: vec4<f32>) -> @location(0) vec4<f32> {
    return shade(position.xy);
}

// For a target that encodes sRGB by itself.
@fragment
fn to_linear(@builtin(position) position: vec4<f32>) -> @location(0) vec4<f32> {
    let color = shade(position.xy);
    let low = color.rgb / 12.92;
    let high = pow((color.rgb + 0.055) / 1.055, vec3<f32>(2.4));
    return vec4<f32>(select(high, low, color.rgb < vec3<f32>(0.04045)), color.a);
}
