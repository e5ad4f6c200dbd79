//! Each edit, by hand.

use super::{editor, flat, full, layer};
use crate::base::{Affine, Extent, IntRect, ProblemKind};
use crate::canvas::edit::{Combine, Sampling, Turn};
use crate::canvas::surface::flatten;
use crate::canvas::{Change, Document, Editor, Layer, TileIndex};
use crate::imaging::{BlendMode, Mask, Pixmap};

const RED: [u8; 4] = [255, 0, 0, 255];
const BLUE: [u8; 4] = [0, 0, 255, 255];

#[test]
fn extents_have_limits() {
    for extent in [Extent::new(0, 5), Extent::new(5, 0), Extent::new(16385, 1)] {
        assert_eq!(Document::blank(extent, "").unwrap_err().kind, ProblemKind::SizeInvalid);
    }
    let mut editor = editor(16384, 16384);
    let problem = editor.edit("edit-crop", |t| t.crop(IntRect::new(0, 0, 0, 1))).unwrap_err();
    assert_eq!(problem.arg("most"), Some("16384×16384"));
    assert!(editor.history().is_empty());
}

#[test]
fn steps_have_names_and_can_be_jumped_to() {
    let mut editor = editor(100, 100);
    assert!(editor.is_saved() && !editor.undo() && !editor.redo());
    editor.edit("edit-add-layer", |t| Ok(t.add_layer(layer(RED, IntRect::new(0, 0, 9, 9))))).unwrap();
    editor
        .edit("edit-fill-mask", |t| {
            t.fill_mask();
            Ok(())
        })
        .unwrap();
    editor
        .edit("edit-fill-mask", |t| {
            t.fill_mask();
            Ok(())
        })
        .unwrap();
    let history = editor.history();
    assert_eq!(history.steps().collect::<Vec<_>>(), ["edit-add-layer", "edit-fill-mask"], "the third changed nothing");
    assert_eq!((history.undo_name(), history.redo_name()), (Some("edit-fill-mask"), None));
    assert!(!editor.is_saved());
    editor.mark_saved(editor.revision());
    assert!(editor.jump(0) && !editor.is_saved() && editor.document().layers().len() == 1);
    assert_eq!((editor.history().undo_name(), editor.history().redo_name()), (None, Some("edit-add-layer")));
    assert!(editor.jump(2) && editor.is_saved() && !editor.jump(3));
    editor.undo();
    editor
        .edit("edit-clear", |t| {
            let id = t.document().active();
            t.clear_layer(id)
        })
        .unwrap();
    assert_eq!(editor.history().steps().collect::<Vec<_>>(), ["edit-add-layer", "edit-clear"]);
}

#[test]
fn a_step_in_hand_keeps_others_out_and_leaves_no_trace() {
    let mut editor = editor(100, 100);
    let id = editor.document().active();
    editor.take_change();
    editor.begin("edit-stroke").unwrap();
    editor.transaction().unwrap().pixels_mut(id).unwrap().set_pixel(70, 3, RED);
    let change = editor.take_change();
    assert_eq!(change.composite.into_iter().collect::<Vec<_>>(), [TileIndex::new(1, 0)]);
    assert!(!editor.is_saved());
    assert_eq!(editor.transaction().unwrap().before().active_layer().unwrap().pixels.len(), 0);
    assert_eq!(editor.begin("edit-stroke").unwrap_err().kind, ProblemKind::StrokeOpen);
    assert_eq!(editor.edit("edit-fill", |t| t.fill_layer(id, RED)).unwrap_err().kind, ProblemKind::StrokeOpen);
    assert!(!editor.redo() && editor.undo() && !editor.is_open());
    assert!(editor.is_saved() && editor.history().is_empty());
    assert_eq!(editor.take_change().composite.len(), 1);
    assert!(editor.document().layers()[0].pixels.is_empty());
    // A stroke that painted and took it back is no step.
    editor.begin("edit-stroke").unwrap();
    editor.transaction().unwrap().pixels_mut(id).unwrap().set_pixel(70, 3, RED);
    editor.transaction().unwrap().pixels_mut(id).unwrap().set_pixel(70, 3, [0; 4]);
    assert!(!editor.commit() && editor.history().is_empty() && editor.document().layers()[0].pixels.is_empty());
}

#[test]
fn a_failed_edit_changes_nothing() {
    let mut editor = editor(64, 64);
    let id = editor.document().active();
    let before = editor.document().clone();
    let result = editor.edit("edit-delete", |t| {
        t.fill_layer(id, RED)?;
        t.delete_layer(id)
    });
    assert_eq!(result.unwrap_err().kind, ProblemKind::LayerLast);
    assert_eq!(editor.document(), &before);
    assert!(!editor.is_open() && editor.history().is_empty());
}

#[test]
fn layers_come_move_and_go() {
    let mut editor = editor(64, 64);
    let bottom = editor.document().active();
    let a = editor.edit("a", |t| Ok(t.add_layer(layer(RED, IntRect::new(0, 0, 64, 64))))).unwrap();
    let b = editor.edit("b", |t| t.duplicate_layer(a, "又一层")).unwrap();
    let order = |editor: &Editor| editor.document().layers().iter().map(|layer| layer.id).collect::<Vec<_>>();
    assert_eq!(order(&editor), [bottom, a, b]);
    assert_eq!(editor.document().active(), b);
    editor.edit("c", |t| t.reorder_layer(b, 0)).unwrap();
    assert_eq!(order(&editor), [b, bottom, a]);
    editor.edit("d", |t| t.delete_layer(b)).unwrap();
    assert_eq!((order(&editor), editor.document().active()), (vec![bottom, a], bottom));
    assert_eq!(editor.edit("e", |t| t.set_visible(b, false)).unwrap_err().kind, ProblemKind::LayerMissing);
    editor.edit("f", |t| t.set_locked(a, true)).unwrap();
    let problem = editor.edit("g", |t| t.fill_layer(a, BLUE)).unwrap_err();
    assert_eq!((problem.kind, problem.arg("layer")), (ProblemKind::LayerLocked, Some("色")));
    editor.activate(a);
    assert_eq!(editor.history().len(), 5, "choosing a layer is no step");
    editor.undo();
    editor.redo();
    assert_eq!(editor.document().active(), a);
}

#[test]
fn merging_looks_the_same() {
    let mut upper = layer([200, 10, 99, 180], IntRect::new(-20, 10, 100, 40));
    upper.opacity = 0.6;
    upper.blend = BlendMode::Multiply;
    let mut lower = layer([20, 200, 70, 255], IntRect::new(10, -30, 50, 90));
    lower.opacity = 0.5;
    let (low, up) = (lower.id, upper.id);
    let rect = IntRect::new(-64, -64, 192, 192);
    let document = Document::from_layers(Extent::new(64, 64), vec![lower, upper]).unwrap();
    let seen = flatten(&document, rect);
    let mut editor = Editor::new(document);
    assert_eq!(editor.edit("merge", |t| t.merge_down(low)).unwrap_err().kind, ProblemKind::LayerLowest);
    editor.edit("merge", |t| t.merge_down(up)).unwrap();
    assert_eq!(flatten(editor.document(), rect), seen);
    assert_eq!((editor.document().layers().len(), editor.document().active()), (1, low));
    editor.undo();
    editor.edit("flatten", |t| t.flatten()).unwrap();
    assert_eq!(flatten(editor.document(), rect), seen);
    editor.undo();
    editor.edit("hide", |t| t.set_visible(low, false)).unwrap();
    assert_eq!(editor.edit("merge", |t| t.merge_down(up)).unwrap_err().kind, ProblemKind::LayerHidden);
}

#[test]
fn pasting_goes_through_the_mask_and_leaves_what_is_below() {
    let mut editor = Editor::new(Document::from_pixmap(&flat(100, 80, BLUE), "底").unwrap());
    let before = editor.document().clone();
    let mut mask = Mask::new(Extent::new(3, 2));
    mask.bytes_mut().copy_from_slice(&[255, 128, 0, 0, 255, 255]);
    let id = editor.edit("paste", |t| t.paste_layer("新", &flat(3, 3, RED), Some(&mask), 62, 63)).unwrap();
    let pixels = &editor.document().layer(id).unwrap().pixels;
    let alphas = pixels.read(IntRect::new(62, 63, 3, 3)).map_alpha();
    assert_eq!(alphas, [255, 128, 0, 0, 255, 255, 0, 0, 0]);
    assert_eq!(editor.document().layers()[0], before.layers()[0]);
    let change = Change::between(&before, editor.document());
    assert_eq!(change.composite.len(), 3, "nothing is seen in the fourth tile");
    assert!(change.layers && !change.extent && !change.mask_changed);
}

trait Alphas {
    fn map_alpha(self) -> Vec<u8>;
}

impl Alphas for Vec<[u8; 4]> {
    fn map_alpha(self) -> Vec<u8> {
        self.into_iter().map(|[.., a]| a).collect()
    }
}

#[test]
fn filling_and_clearing_keep_to_the_selection() {
    let mut editor = editor(200, 100);
    let id = editor.document().active();
    editor
        .edit("select", |t| {
            t.select(&full(10, 10), 60, 60, Combine::Replace);
            Ok(())
        })
        .unwrap();
    editor.edit("fill", |t| t.fill_layer(id, RED)).unwrap();
    assert_eq!(editor.document().layers()[0].pixels.bounds(), Some(IntRect::new(60, 60, 10, 10)));
    editor
        .edit("invert", |t| {
            t.invert_selection();
            Ok(())
        })
        .unwrap();
    editor.edit("fill", |t| t.fill_layer(id, [0, 0, 255, 128])).unwrap();
    let picture = flatten(editor.document(), IntRect::new(0, 0, 200, 100));
    assert_eq!((picture.pixel(65, 65), picture.pixel(199, 99)), (Some(RED), Some([0, 0, 255, 128])));
    editor.edit("clear", |t| t.clear_layer(id)).unwrap();
    assert_eq!(editor.document().layers()[0].pixels.bounds(), Some(IntRect::new(60, 60, 10, 10)));
    editor
        .edit("rest", |t| {
            t.deselect();
            t.set_alpha_locked(id, true)?;
            t.fill_layer(id, BLUE)
        })
        .unwrap();
    let pixels = &editor.document().layers()[0].pixels;
    assert_eq!((pixels.pixel(60, 60), pixels.pixel(59, 60)[3]), (BLUE, 0));
    editor.edit("clear", |t| t.clear_layer(id)).unwrap();
    assert!(editor.document().layers()[0].pixels.is_empty());
}

#[test]
fn selections_meet() {
    let mut editor = editor(100, 100);
    let mut select = |x: i32, how: Combine| {
        editor
            .edit("select", |t| {
                t.select(&full(20, 20), x, 0, how);
                Ok(())
            })
            .unwrap();
        editor.document().selection().map(|tiles| tiles.bounds().unwrap())
    };
    assert_eq!(select(0, Combine::Add), Some(IntRect::new(0, 0, 20, 20)));
    assert_eq!(select(90, Combine::Add), Some(IntRect::new(0, 0, 100, 20)), "cut at the canvas");
    assert_eq!(select(-10, Combine::Subtract), Some(IntRect::new(10, 0, 90, 20)));
    assert_eq!(select(5, Combine::Intersect), Some(IntRect::new(10, 0, 10, 20)));
    assert_eq!(select(5, Combine::Subtract), None, "nothing selected is no selection");
    assert_eq!(select(0, Combine::Subtract), Some(IntRect::new(0, 0, 100, 100)), "taken from everything");
    assert_eq!(editor.document().selection().unwrap().pixel(5, 5), [0]);
}

#[test]
fn masks_come_from_many_things() {
    let mut editor = Editor::new(
        Document::from_layers(Extent::new(70, 70), vec![layer([9, 9, 9, 100], IntRect::new(-5, 60, 20, 20))]).unwrap(),
    );
    let id = editor.document().active();
    editor.edit("alpha", |t| t.mask_from_alpha(id)).unwrap();
    let mask = editor.document().mask().clone();
    assert_eq!((mask.bounds(), mask.pixel(3, 65)), (Some(IntRect::new(0, 60, 15, 10)), [100]));
    editor
        .edit("invert", |t| {
            t.invert_mask();
            Ok(())
        })
        .unwrap();
    let mask = editor.document().mask().to_mask(IntRect::new(-1, -1, 72, 72));
    let count = |value: u8| mask.bytes().iter().filter(|v| **v == value).count();
    assert_eq!((count(255), count(155), count(0)), (70 * 70 - 150, 150, 72 * 72 - 70 * 70));
    editor
        .edit("select", |t| {
            t.select_mask();
            t.clear_mask();
            Ok(())
        })
        .unwrap();
    assert!(editor.document().mask().is_empty());
    editor
        .edit("back", |t| {
            t.mask_from_selection();
            t.deselect();
            Ok(())
        })
        .unwrap();
    assert_eq!(editor.document().mask().to_mask(IntRect::new(-1, -1, 72, 72)), mask);
    editor
        .edit("set", |t| {
            t.set_mask(&full(5, 5), 68, -2);
            Ok(())
        })
        .unwrap();
    assert_eq!(editor.document().mask().bounds(), Some(IntRect::new(68, 0, 2, 3)));
}

#[test]
fn the_canvas_grows_and_shrinks_about_its_layers() {
    let mut editor = Editor::new(Document::from_pixmap(&flat(64, 64, RED), "底").unwrap());
    editor
        .edit("mask", |t| {
            t.fill_mask();
            Ok(())
        })
        .unwrap();
    editor.edit("crop", |t| t.crop(IntRect::new(10, 20, 30, 40))).unwrap();
    let document = editor.document();
    assert_eq!((document.extent(), document.frame()), (Extent::new(30, 40), IntRect::new(0, 0, 30, 40)));
    assert_eq!(document.mask().bounds(), Some(document.canvas()));
    assert_eq!(document.layers()[0].pixels.bounds(), Some(IntRect::new(-10, -20, 64, 64)), "nothing is lost");
    editor.edit("extend", |t| t.resize_canvas(Extent::new(64, 64), 10, 20)).unwrap();
    assert_eq!(flatten(editor.document(), editor.document().canvas()), flat(64, 64, RED));
    editor.edit("frame", |t| t.set_frame(IntRect::new(-32, 0, 64, 64))).unwrap();
    assert_eq!(editor.document().frame(), IntRect::new(-32, 0, 64, 64));
}

fn numbered(width: u32, height: u32) -> Pixmap {
    let rgba = (0..width * height).flat_map(|i| [i as u8, (i >> 8) as u8, 7, 255]).collect();
    Pixmap::from_rgba(Extent::new(width, height), rgba).unwrap()
}

#[test]
fn turns_are_exact_and_lead_back() {
    let mut editor = Editor::new(Document::from_pixmap(&numbered(90, 31), "底").unwrap());
    let id = editor.document().active();
    let mut turn = |turns: &[Turn]| {
        for &turn in turns {
            editor.edit("turn", |t| t.turn_layer(id, turn)).unwrap();
        }
        let pixels = &editor.document().layers()[0].pixels;
        (pixels.bounds().unwrap(), pixels.pixmap(pixels.bounds().unwrap()))
    };
    let start = IntRect::new(0, 0, 90, 31);
    let (bounds, quarter) = turn(&[Turn::Clockwise]);
    assert_eq!((bounds.extent(), quarter.pixel(30, 0)), (Extent::new(31, 90), numbered(90, 31).pixel(0, 0)));
    assert_eq!(turn(&[Turn::Counterclockwise]).1, numbered(90, 31));
    assert_eq!(turn(&[Turn::MirrorAcross]).1.pixel(0, 0), numbered(90, 31).pixel(89, 0));
    let (bounds, half) = turn(&[Turn::MirrorDown]);
    assert_eq!(bounds.extent(), start.extent());
    assert_eq!(turn(&[Turn::Half]).1, numbered(90, 31));
    assert_eq!(half.pixel(0, 0), numbered(90, 31).pixel(89, 30));
}

#[test]
fn flat_colours_survive_any_map_inside_and_spill_little() {
    for sampling in [Sampling::Nearest, Sampling::Bilinear, Sampling::Lanczos3] {
        let painted = layer([200, 90, 30, 255], IntRect::new(20, 20, 80, 60));
        let mut editor = Editor::new(Document::from_layers(Extent::new(128, 128), vec![painted]).unwrap());
        let id = editor.document().active();
        let map = Affine::scaling(0.5, 1.5).then(Affine::rotation(0.4)).about([60.0, 50.0]);
        editor.edit("transform", |t| t.transform_layer(id, map, sampling)).unwrap();
        let pixels = &editor.document().layers()[0].pixels;
        let whole = IntRect::new(-64, -64, 256, 256);
        for (i, pixel) in pixels.read(whole).into_iter().enumerate() {
            let (x, y) = (i as i32 % 256 - 64, i as i32 / 256 - 64);
            let [u, v] = map.inverse().unwrap().apply([f64::from(x) + 0.5, f64::from(y) + 0.5]);
            let inside = (u - 20.0).min(100.0 - u).min(v - 20.0).min(80.0 - v);
            if inside > 7.0 {
                assert_eq!(pixel, [200, 90, 30, 255], "{sampling:?} {x} {y}");
            }
            if inside < -7.0 {
                assert_eq!(pixel[3], 0, "{sampling:?} {x} {y}");
            }
            if pixel[3] > 8 {
                assert!(pixel[0].abs_diff(200) < 3 && pixel[1].abs_diff(90) < 3, "{pixel:?}: edges keep their colour");
            }
        }
    }
}

#[test]
fn impossible_maps_are_refused() {
    let mut editor = Editor::new(Document::from_pixmap(&flat(9, 9, RED), "底").unwrap());
    let id = editor.document().active();
    for map in [Affine::scaling(0.0, 1.0), Affine::scaling(1e6, 1e6), Affine::translation(f64::NAN, 0.0)] {
        let problem = editor.edit("transform", |t| t.transform_layer(id, map, Sampling::Bilinear)).unwrap_err();
        assert_eq!(problem.kind, ProblemKind::ValueInvalid);
    }
}

#[test]
fn old_steps_go_when_memory_is_short_but_the_last_stays() {
    let mut editor = editor(640, 64);
    let id = editor.document().active();
    editor.set_budget(3 * 64 * 64 * 4);
    for x in 0..9 {
        editor
            .edit("dot", |t| {
                t.pixels_mut(id)?.set_pixel(x * 64, 0, RED);
                Ok(())
            })
            .unwrap();
    }
    assert_eq!((editor.history().len(), editor.history().position()), (3, 3));
    assert!(editor.jump(0));
    assert_eq!(editor.document().layers()[0].pixels.len(), 6);
    editor.jump(3);
    editor.set_budget(0);
    assert_eq!(editor.history().len(), 1);
    assert!(editor.undo() && editor.redo());
}

#[test]
fn a_document_read_with_twin_ids_gets_new_ones() {
    let twin = Layer::new("双");
    let document = Document::from_layers(Extent::new(1, 1), vec![twin.clone(), twin]).unwrap();
    assert_ne!(document.layers()[0].id, document.layers()[1].id);
    assert_eq!(Document::from_layers(Extent::new(1, 1), Vec::new()).unwrap().layers().len(), 1);
}
