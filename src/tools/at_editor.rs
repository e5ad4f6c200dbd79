//! The document's editor as what tools work on.

use super::easel::Stamp;
use super::{Easel, LayerState, Source};
use crate::base::{Extent, IntRect};
use crate::canvas::surface::flatten;
use crate::canvas::{ColourTiles, Editor, Layer, MaskTiles, Tiles};
use crate::imaging::{Mask, Pixmap};

impl Easel for Editor {
    fn extent(&self) -> Extent {
        self.document().extent()
    }

    fn layer(&self) -> Option<LayerState> {
        let state = |layer: &Layer| LayerState {
            visible: layer.visible,
            locked: layer.locked,
            alpha_locked: layer.alpha_locked,
        };
        self.document().active_layer().map(state)
    }

    fn layer_bounds(&self) -> Option<IntRect> {
        self.document().active_layer()?.pixels.bounds()
    }

    fn layer_stamp(&self) -> Stamp {
        self.document().active_layer().map(|layer| (layer.id, layer.pixels.clone()))
    }

    fn read(&self, source: Source, area: IntRect) -> Pixmap {
        match source {
            Source::Layer => {
                let layer = self.document().active_layer();
                layer.map_or_else(|| Pixmap::new(area.extent()), |layer| layer.pixels.pixmap(area))
            }
            Source::Composite => flatten(self.document(), area),
        }
    }

    fn read_mask(&self, area: IntRect) -> Mask {
        self.document().mask().to_mask(area)
    }

    fn read_selection(&self, area: IntRect) -> Option<Mask> {
        self.document().selection().map(|selection| selection.to_mask(area))
    }

    fn frame(&self) -> IntRect {
        self.document().frame()
    }

    fn begin(&mut self, name: &'static str) {
        Editor::commit(self);
        // It can only fail while a step is open, and that one has just been ended.
        let opened = Editor::begin(self, name);
        debug_assert!(opened.is_ok());
    }

    fn commit(&mut self) {
        Editor::commit(self);
    }

    fn rollback(&mut self) {
        Editor::cancel(self);
    }

    fn write(&mut self, x: i32, y: i32, pixels: &Pixmap) {
        change_layer(self, |tiles| tiles.put(x, y, pixels));
    }

    fn write_pieces(&mut self, pieces: Vec<(IntRect, Pixmap)>) {
        change_layer(self, |tiles| {
            tiles.write_pieces(pieces.iter().map(|(rect, pixels)| (*rect, pixels.rgba().as_chunks().0)).collect());
        });
    }

    fn write_mask(&mut self, x: i32, y: i32, mask: &Mask) {
        if let Some(mut step) = self.transaction() {
            step.mask_mut().put(x, y, mask);
        }
    }

    fn select(&mut self, mask: Option<Mask>) {
        if let Some(mut step) = self.transaction() {
            // A selection of nothing is none when the step ends.
            *step.selection_mut() = mask.map_or_else(Tiles::new, |mask| MaskTiles::from_mask(0, 0, &mask));
        }
    }

    fn shift_layer(&mut self, by: (i32, i32)) {
        let id = self.document().active();
        let before = self.transaction().and_then(|step| step.before().layer(id).map(|layer| layer.pixels.clone()));
        if let Some(before) = before {
            change_layer(self, |tiles| *tiles = before.moved(by.0, by.1));
        }
    }

    fn replace_layer(&mut self, x: i32, y: i32, pixels: &Pixmap) {
        change_layer(self, |tiles| {
            *tiles = ColourTiles::new();
            tiles.put(x, y, pixels);
        });
    }

    fn set_frame(&mut self, frame: IntRect) {
        if let Some(mut step) = self.transaction() {
            // An empty or too large one is refused, and the frame stays; the tool keeps its sides within bounds.
            let set = step.set_frame(frame);
            debug_assert!(set.is_ok());
        }
    }
}

/// Changes the active layer within the open step. A locked layer stays as it is; tools have said so before.
fn change_layer(editor: &mut Editor, change: impl FnOnce(&mut ColourTiles)) {
    let id = editor.document().active();
    if let Some(mut step) = editor.transaction()
        && let Ok(tiles) = step.pixels_mut(id)
    {
        change(tiles);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::LayerId;
    use crate::canvas::Document;
    use crate::tools::{Context, Modifiers, PointerEvent, TOOLS, ToolSettings};
    use proptest::prelude::*;

    /// Two layers, the upper one active.
    fn editor() -> Editor {
        let mut layers = [Layer::new("底"), Layer::new("面")];
        layers[0].pixels.fill(IntRect::new(0, 0, 200, 150), [240, 240, 240, 255]);
        layers[1].pixels.fill(IntRect::new(30, 20, 90, 80), [10, 120, 250, 255]);
        layers[1].pixels.fill(IntRect::new(100, 90, 50, 70), [250, 120, 10, 90]);
        Editor::new(Document::from_layers(Extent::new(200, 150), layers.into()).unwrap())
    }

    fn event(x: f64, y: f64, modifiers: Modifiers) -> PointerEvent {
        PointerEvent { x, y, pressure: 0.8, time: 0.0, modifiers }
    }

    #[test]
    fn the_composite_is_what_is_seen() {
        let editor = editor();
        let area = IntRect::new(-1, 40, 200, 1);
        assert_eq!(editor.read(Source::Composite, area).pixel(0, 0), Some([0; 4]));
        assert_eq!(editor.read(Source::Composite, area).pixel(1, 0), Some([240, 240, 240, 255]));
        assert_eq!(editor.read(Source::Composite, area).pixel(60, 0), Some([10, 120, 250, 255]));
        assert_eq!(editor.read(Source::Layer, area).pixel(1, 0), Some([0; 4]));
    }

    #[test]
    fn selecting_nothing_leaves_no_selection() {
        let mut editor = editor();
        Easel::begin(&mut editor, "edit-select");
        let mut mask = Mask::new(Easel::extent(&editor));
        mask.bytes_mut()[7] = 9;
        editor.select(Some(mask.clone()));
        // What was left open becomes a step of its own.
        Easel::begin(&mut editor, "edit-deselect");
        assert_eq!(editor.read_selection(IntRect::new(0, 0, 200, 150)), Some(mask));
        editor.select(None);
        Easel::commit(&mut editor);
        assert_eq!(editor.document().selection(), None);
        assert_eq!(editor.history().position(), 2);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn undo_redo_and_cancel_are_exact_with_every_tool(
            gestures in proptest::collection::vec(
                (0..TOOLS.len(), proptest::collection::vec((-40f64..240.0, -40f64..190.0), 2..5), any::<[bool; 4]>()), 1..5,
            ),
        ) {
            let mut editor = editor();
            let settings = ToolSettings::default();
            let mut states = vec![editor.document().clone()];
            for (tool, path, [shift, alt, cancelled, lower]) in gestures {
                let ids: Vec<LayerId> = editor.document().layers().iter().map(|layer| layer.id).collect();
                editor.activate(ids[usize::from(!lower)]);
                let before = editor.document().clone();
                let mut effects = Vec::new();
                let mut tool = (TOOLS[tool].make)();
                let mut context = Context { easel: &mut editor, settings: &settings, scale: 1.0, effects: &mut effects };
                let events: Vec<_> =
                    path.into_iter().map(|(x, y)| event(x, y, Modifiers { shift, alt, ctrl: false })).collect();
                tool.press(&mut context, events[0]);
                events[1..].iter().for_each(|event| tool.drag(&mut context, *event));
                let steps = states.len() - 1;
                if cancelled {
                    tool.cancel(&mut context);
                } else {
                    tool.release(&mut context, events[events.len() - 1]);
                }
                prop_assert!(!editor.is_open());
                if editor.history().position() > steps {
                    states.push(editor.document().clone());
                } else {
                    prop_assert_eq!(editor.document(), &before);
                }
            }
            let same = |a: &Document, b: &Document| crate::canvas::Change::between(a, b).is_nothing();
            for state in states.iter().rev().skip(1) {
                prop_assert!(editor.undo() && same(editor.document(), state));
            }
            prop_assert!(!editor.undo());
            for state in &states[1..] {
                prop_assert!(editor.redo() && same(editor.document(), state));
            }
        }
    }
}
