//! Random sequences of commands, with the invariants swept after each.

use super::{flat, full};
use crate::base::{Affine, Extent, IntRect, LayerId, Problem};
use crate::canvas::edit::{Combine, Sampling, Turn};
use crate::canvas::surface::compose_tile;
use crate::canvas::{Change, Document, Editor, Layer, TileIndex, Transaction};
use crate::imaging::BlendMode;
use proptest::prelude::*;
use std::collections::HashSet;

/// Numbers from which an edit is made: which, on which layer, and where.
type Seed = (u8, u8, i32, i32, [u8; 4]);

#[derive(Clone, Debug)]
enum Step {
    Edit(Seed),
    Failing(Seed),
    Live(Vec<Seed>, bool),
    Undo,
    Redo,
    Jump(usize),
    Activate(u8),
}

fn seeds() -> impl Strategy<Value = Seed> {
    (any::<u8>(), any::<u8>(), -90i32..200, -90i32..200, any::<[u8; 4]>())
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => seeds().prop_map(Step::Edit),
        1 => seeds().prop_map(Step::Failing),
        2 => (proptest::collection::vec(seeds(), 0..4), any::<bool>()).prop_map(|(seeds, keep)| Step::Live(seeds, keep)),
        3 => Just(Step::Undo),
        2 => Just(Step::Redo),
        1 => (0usize..12).prop_map(Step::Jump),
        1 => any::<u8>().prop_map(Step::Activate),
    ]
}

fn chosen(document: &Document, number: u8) -> LayerId {
    document.layers()[usize::from(number) % document.layers().len()].id
}

fn apply(t: &mut Transaction<'_>, (which, on, x, y, colour): Seed) -> Result<(), Problem> {
    let id = chosen(t.document(), on);
    let [size, other, ..] = colour;
    let side = u32::from(size) / 2 + 1;
    let rect = IntRect::new(x, y, side, side);
    match which % 34 {
        0..=4 => t.pixels_mut(id)?.fill(rect, colour),
        5 => t.mask_mut().fill(rect, [size]),
        6 => {
            t.add_layer(Layer::new("新"));
        }
        7 => {
            t.duplicate_layer(id, "又")?;
        }
        8 => t.delete_layer(id)?,
        9 | 10 => t.reorder_layer(id, usize::from(other) % 5)?,
        11 => t.rename_layer(id, format!("{size}"))?,
        12 => t.set_opacity(id, f32::from(size) / 255.0)?,
        13 => t.set_blend(id, BlendMode::ALL[usize::from(size) % BlendMode::ALL.len()])?,
        14 => t.set_visible(id, size.is_multiple_of(2))?,
        15 => t.set_locked(id, size.is_multiple_of(4))?,
        16 => t.merge_down(id)?,
        17 => t.flatten()?,
        18 => {
            t.paste_layer("贴", &flat(side, 3, colour), Some(&full(2, 2)), x, y)?;
        }
        19 => t.fill_layer(id, colour)?,
        20 => t.clear_layer(id)?,
        21 => t.move_layer(id, x, y)?,
        22 => t.move_layer(id, 64, -64)?,
        23 => t.resize_canvas(Extent::new(100 + side, 90 + u32::from(other)), x / 4, y / 4)?,
        24 => t.turn_layer(id, [Turn::MirrorAcross, Turn::Clockwise, Turn::Half][usize::from(size) % 3])?,
        25 => t.transform_layer(id, Affine::rotation(f64::from(size)), Sampling::Bilinear)?,
        26 => t.set_mask(&full(side, 9), x, y),
        27 => t.invert_mask(),
        28 => t.mask_from_alpha(id)?,
        29 => t.mask_from_selection(),
        30 | 31 => {
            let how = [Combine::Replace, Combine::Add, Combine::Subtract, Combine::Intersect];
            t.select(&full(side, side), x, y, how[usize::from(other) % 4]);
        }
        32 => t.invert_selection(),
        _ => t.set_frame(rect)?,
    }
    Ok(())
}

fn swept(editor: &Editor) {
    let document = editor.document();
    assert!(!document.layers().is_empty());
    let ids: HashSet<_> = document.layers().iter().map(|layer| layer.id).collect();
    assert_eq!(ids.len(), document.layers().len());
    assert!(ids.contains(&document.active()));
    assert!(document.selection().is_none_or(|selection| selection.iter().any(|(_, tile)| !tile.is_empty())));
    assert!(document.layers().iter().all(|layer| layer.pixels.iter().all(|(_, tile)| !tile.is_empty())));
    let history = editor.history();
    assert!(history.position() <= history.len());
    assert!(history.bytes() <= history.budget() || history.len() == 1);
}

fn equal_but_for_choice(before: &Document, after: &Document) -> bool {
    before == &after.clone().with_active(before.active())
}

/// What a display that follows the changes would show is what is there.
fn covered(before: &Document, after: &Document, change: &Change) {
    if change.extent {
        assert_eq!(change.composite.len(), TileIndex::covering(after.canvas()).count());
        return;
    }
    let selected = |document: &Document, index| document.selection().and_then(|tiles| tiles.tile(index).cloned());
    for index in TileIndex::covering(after.canvas()) {
        if !change.composite.contains(&index) {
            assert_eq!(compose_tile(before, index), compose_tile(after, index), "{index:?}");
        }
        if !change.mask.contains(&index) {
            assert_eq!(before.mask().tile(index), after.mask().tile(index));
        }
        if !change.selection_tiles.contains(&index) {
            assert_eq!(selected(before, index), selected(after, index));
        }
    }
    assert_eq!(change.frame, before.frame() != after.frame());
    assert!(!change.is_nothing() || equal_but_for_choice(before, after));
}

/// The bytes of tiles that only the history holds, counted one by one.
fn held(editor: &mut Editor) -> usize {
    let position = editor.history().position();
    let mut seen = HashSet::new();
    let count = |document: &Document, seen: &mut HashSet<usize>| {
        let layers: usize = document.layers().iter().map(|layer| layer.pixels.bytes(seen)).sum();
        layers + document.mask().bytes(seen) + document.selection().map_or(0, |tiles| tiles.bytes(seen))
    };
    count(editor.document(), &mut seen);
    let mut sum = 0;
    for at in 0..=editor.history().len() {
        editor.jump(at);
        sum += count(editor.document(), &mut seen);
    }
    editor.jump(position);
    sum
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn commands_in_any_order(steps in proptest::collection::vec(steps(), 1..24), short: bool) {
        let mut editor = Editor::new(Document::from_pixmap(&flat(150, 130, [9, 99, 200, 255]), "底").unwrap());
        editor.set_budget(if short { 40 * 16384 } else { 1 << 30 });
        for step in steps {
            let before = editor.document().clone();
            let (length, revision) = (editor.history().len(), editor.revision());
            match step {
                Step::Edit(seed) => {
                    let result = editor.edit("edit", |t| apply(t, seed));
                    let is_step = editor.revision() != revision;
                    prop_assert_eq!(is_step, !equal_but_for_choice(&before, editor.document()));
                    if result.is_err() {
                        prop_assert_eq!(editor.document(), &before);
                        prop_assert_eq!(editor.history().len(), length);
                    }
                }
                Step::Failing(seed) => {
                    let result: Result<(), Problem> = editor.edit("edit", |t| {
                        apply(t, seed)?;
                        Err(Problem::new(crate::base::ProblemKind::Cancelled))
                    });
                    prop_assert!(result.is_err() && editor.document() == &before);
                }
                Step::Live(seeds, keep) => {
                    editor.begin("live").unwrap();
                    for seed in seeds {
                        let shown = editor.document().clone();
                        editor.take_change();
                        // A refused edit of a step in hand may have done a part of its work: cancelling takes it back.
                        let _ = apply(&mut editor.transaction().unwrap(), seed);
                        let change = editor.take_change();
                        covered(&shown, editor.document(), &change);
                    }
                    if keep {
                        editor.commit();
                    } else {
                        editor.cancel();
                        prop_assert_eq!(editor.document(), &before);
                        prop_assert_eq!(editor.history().len(), length);
                    }
                }
                Step::Undo => { editor.undo(); }
                Step::Redo => { editor.redo(); }
                Step::Jump(to) => { editor.jump(to); }
                Step::Activate(number) => editor.activate(chosen(editor.document(), number)),
            }
            swept(&editor);
            covered(&before, editor.document(), &Change::between(&before, editor.document()));
        }

        let position = editor.history().position();
        let mut states = Vec::new();
        for at in 0..=editor.history().len() {
            prop_assert!(editor.jump(at));
            states.push(editor.document().clone());
        }
        while editor.undo() {}
        for (at, state) in states.iter().enumerate() {
            prop_assert_eq!(editor.document(), state);
            prop_assert_eq!(editor.redo(), at + 1 < states.len());
        }
        for state in states.iter().rev() {
            prop_assert_eq!(editor.document(), state);
            editor.undo();
        }
        editor.jump(position);
        let bound = editor.history().bytes();
        prop_assert!(held(&mut editor) <= bound);
    }
}
