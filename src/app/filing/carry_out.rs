//! The commands about files.

use super::errands::FileErrand;
use super::{Answer, Ask, Next};
use crate::app::command::Command;
use crate::app::state::{State, View};
use crate::app::take_over::take_over;
use crate::app::update::{Card, Effect};
use crate::base::Extent;
use crate::canvas::ColourTiles;
use crate::canvas::document::check_extent;
use crate::imaging::Pixmap;
use crate::words::{text, text_with};
use std::path::PathBuf;

/// Carries out a command; gives it back if it is none of these.
pub fn carry_out(state: &mut State, command: Command) -> Result<Vec<Effect>, Command> {
    let effects = match command {
        Command::NewDocument => request(state, Next::New),
        Command::OpenFile => vec![Effect::Ask(Ask::Open)],
        Command::OpenPath(path) => request(state, Next::Open(path)),
        Command::Save => save(state),
        Command::SaveAsProject => vec![ask_project(state)],
        Command::SaveProjectTo(path) => save_to(state, path),
        Command::Export => vec![Effect::Show(Card::Export)],
        Command::ExportAs(plan) => {
            state.filing.plan = plan;
            let plan = &state.filing.plan;
            vec![Effect::Ask(Ask::Export(plan.kind, plan.file_name(&state.desk.paper)))]
        }
        Command::ExportTo(path) => {
            state.filing.folder = path.parent().map(PathBuf::from);
            let (document, paper) = (state.desk.document().clone(), state.desk.paper.clone());
            vec![errand(FileErrand::Export { path, document, paper, plan: state.filing.plan.clone() })]
        }
        Command::Answer(answer) => answered(state, answer),
        Command::Leave => vec![Effect::Close],
        Command::ShowLost => vec![Effect::Show(Card::Lost)],
        Command::RestoreLost(number) => request(state, Next::Restore(number)),
        Command::DiscardLost(number) => {
            state.filing.lost.retain(|lost| lost.number != number);
            vec![Effect::DiscardLost(number)]
        }
        Command::TakeRecipe => {
            if let Some(recipe) = state.desk.paper.recipe() {
                take_over(state, &recipe);
            }
            Vec::new()
        }
        // On a canvas that nobody has touched the picture brings its own size.
        Command::SendToCanvas(path) if state.desk.is_fresh() => request(state, Next::Open(path)),
        Command::SendToCanvas(path) => {
            state.view = View::Easel;
            vec![errand(FileErrand::Read { path, canvas: state.desk.document().extent() })]
        }
        Command::PastePicture(picture) => {
            let name = text(state.language, "label-pasted");
            lay(state, &name, &picture, None);
            Vec::new()
        }
        Command::CopyPicture => vec![errand(FileErrand::Copy(state.desk.document().clone()))],
        other => return Err(other),
    };
    Ok(effects)
}

fn errand(errand: FileErrand) -> Effect {
    Effect::File(Box::new(errand))
}

/// Does it at once, or asks first what happens to the document.
pub(super) fn request(state: &mut State, next: Next) -> Vec<Effect> {
    if state.desk.is_unsaved() {
        state.filing.question = Some(next);
        return Vec::new();
    }
    go_on(state, next)
}

/// The document may go.
pub(super) fn go_on(state: &mut State, next: Next) -> Vec<Effect> {
    let asked = state.desk.editor().revision();
    match next {
        Next::New => {
            let name = text_with(state.language, "layer-name", &[("number", "1".into())]);
            state.desk.renew(state.draft.size, &name);
            changed_over(state);
        }
        Next::Open(path) => return vec![errand(FileErrand::Open { path, asked })],
        Next::Put(path, opened) => super::reports::put(state, path, *opened),
        Next::Restore(number) => return vec![Effect::RestoreLost(number)],
        Next::Leave => {
            state.filing.given_up = true;
            return vec![Effect::Leave];
        }
    }
    Vec::new()
}

/// Another document is on the desk; what is being painted does not belong on it.
pub(super) fn changed_over(state: &mut State) {
    state.places.clear();
    state.view = View::Easel;
}

fn answered(state: &mut State, answer: Answer) -> Vec<Effect> {
    let Some(next) = state.filing.question.take() else { return Vec::new() };
    match answer {
        Answer::Stay => Vec::new(),
        Answer::Discard => go_on(state, next),
        Answer::Save => {
            let effects = save(state);
            // Nothing is done if there was nothing that could be saved.
            state.filing.after = (!effects.is_empty()).then_some(next);
            effects
        }
    }
}

/// To the file that the document has, or to one that is asked for.
fn save(state: &mut State) -> Vec<Effect> {
    match state.desk.paper.path.clone() {
        Some(path) => save_to(state, path),
        None => vec![ask_project(state)],
    }
}

fn ask_project(state: &State) -> Effect {
    let plan = super::ExportPlan { kind: super::ExportKind::OpenRaster, ..state.filing.plan.clone() };
    let name = &state.desk.paper.name;
    let named = || format!("{name}.{}", super::PROJECT);
    Effect::Ask(Ask::Project(if name.is_empty() { plan.file_name(&state.desk.paper) } else { named() }))
}

fn save_to(state: &mut State, path: PathBuf) -> Vec<Effect> {
    // Half a stroke is better in the file than nowhere; as a rule a command waits until it is whole.
    state.desk.finish();
    let editor = state.desk.editor();
    let (revision, sheet) = (editor.revision(), state.desk.sheet());
    let (document, paper) = (state.desk.document().clone(), state.desk.paper.clone());
    vec![errand(FileErrand::Save { path, document, paper, revision, sheet })]
}

/// As a new layer, with its top left corner at a place that is known, else in the middle of the frame.
pub(super) fn lay(state: &mut State, name: &str, picture: &Pixmap, at: Option<(i32, i32)>) {
    let at = at.unwrap_or_else(|| centred(state, picture.extent()));
    state.view = View::Easel;
    let laid = check_extent(picture.extent())
        .and_then(|()| state.desk.lay("edit-paste", name, ColourTiles::from_pixmap(at.0, at.1, picture), false));
    if let Err(problem) = laid {
        state.complain(problem);
    }
}

/// The top left corner of a picture in the middle of the frame.
pub fn centred(state: &State, extent: Extent) -> (i32, i32) {
    let frame = state.desk.document().frame();
    let middle = |start: i32, room: u32, length: u32| {
        let at = i64::from(start) + (i64::from(room) - i64::from(length)) / 2;
        at.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
    };
    (middle(frame.x, frame.width, extent.width), middle(frame.y, frame.height, extent.height))
}
