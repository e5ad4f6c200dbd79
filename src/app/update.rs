//! What each command does to the state, and what must be done beyond it.

use super::command::{Command, EXAMPLES, Link};
use super::desk_commands;
use super::filing::{self, Ask, FileErrand};
use super::masking::{self, MaskErrand, is_mask_work};
use super::placing::{Place, Preparation};
use super::plan::{Planned, draw_seed, plan, plan_on_canvas};
use super::prompt_edit::WEIGHT_STEP;
use super::staging::{self, Purpose};
use super::state::{Forming, Painting, Said, Scale, State, View};
use super::wall;
use crate::base::{ImageId, IntRect, JobId, Problem};
use crate::recipe::Recipe;
use crate::words::{Language, text};
use std::path::PathBuf;
use std::time::Instant;

/// Something that a change of the state asks of the world.
#[derive(Debug)]
pub enum Effect {
    /// The worker paints.
    Paint(JobId, Box<Recipe>),
    /// The worker stops a job.
    Stop(JobId),
    /// A finished picture is saved, and its thumbnail made.
    Keep(Painting),
    /// The clerk completes a recipe with what the canvas shows.
    Prepare(Box<Preparation>),
    /// A picture goes onto the canvas, to its place.
    Lay(Painting, Purpose),
    /// The clerk works on the whole mask.
    Mask(Box<MaskErrand>),
    Export(Painting, PathBuf),
    /// The window asks for a path and answers with [`Command::SaveTo`].
    AskPath {
        id: ImageId,
        file_name: String,
    },
    /// The window asks where to copy this file to and answers with [`wall::Act::ExportTo`].
    AskCopyPath(PathBuf),
    /// The window puts the cursor into the prompt.
    FocusPrompt,
    OpenFolder,
    OpenModels,
    /// The browser shows a page.
    OpenLink(Link),
    /// The list of styles is written down.
    RememberStyles,
    /// The prompts that were painted are written down.
    RememberPrompts,
    /// The window changes the weight of the words at the caret of its prompt.
    Weigh(f64),
    /// The window opens a card.
    Show(Card),
    /// The clerk does something with a file.
    File(Box<FileErrand>),
    /// The window asks for a path.
    Ask(Ask),
    /// What an earlier session has left comes back, or goes for good.
    RestoreLost(u64),
    DiscardLost(u64),
    /// The window closes, after asking about what would be lost.
    Close,
    /// The window closes.
    Leave,
}

/// A card over the window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Card {
    Palette,
    Shortcuts,
    About,
    /// A style by its name; `None` is a new one.
    Style(Option<String>),
    Export,
    /// What earlier sessions have left.
    Lost,
}

/// Carries out a command, or puts it off until the hand is lifted and the mask is done.
pub fn update(state: &mut State, command: Command) -> Vec<Effect> {
    if command == Command::Undo && !state.desk.is_busy() && masking::take_back(state) {
        return run_waiting(state);
    }
    if must_wait(state, &command) || (!state.waiting.is_empty() && of_document(&command)) {
        state.waiting.push_back(command);
        return Vec::new();
    }
    // Where the canvas is not shown nobody sees the hand being lifted; what waited for it comes first.
    if matches!(command, Command::ShowGallery | Command::LookAt(_) | Command::LookNewer | Command::LookOlder)
        && state.desk.finish()
    {
        let mut effects = run_waiting(state);
        effects.extend(carry_out(state, command));
        return effects;
    }
    carry_out(state, command)
}

/// Carries out what was put off, as far as it need not wait any more. Call it whenever the hand may have been lifted.
pub fn run_waiting(state: &mut State) -> Vec<Effect> {
    let mut effects = masking::land(state);
    // What has landed may have made room for the next.
    effects.extend(masking::land(state));
    while state.waiting.front().is_some_and(|command| !must_wait(state, command))
        && let Some(command) = state.waiting.pop_front()
    {
        effects.extend(carry_out(state, command));
    }
    effects
}

/// In the middle of a stroke the document is not whole, and while something is done to the mask, neither is that.
fn must_wait(state: &State, command: &Command) -> bool {
    let held = state.desk.is_drawing() || state.masking.is_some() || !state.desk.pours.is_empty();
    held && of_document(command)
}

/// Commands that take the document as it is, or change it. Undo and what moves the view are not among them: they are
/// wanted at once.
fn of_document(command: &Command) -> bool {
    use Command as C;
    is_mask_work(command)
        || matches!(
            command,
            C::Generate
                | C::Example(_)
                | C::Repaint
                | C::Save
                | C::SaveAsProject
                | C::SaveProjectTo(_)
                | C::ExportTo(_)
                | C::CopyPicture
                | C::Answer(_)
                | C::Leave
                | C::NewDocument
                | C::OpenPath(_)
                | C::SendToCanvas(_)
                | C::RestoreLost(_)
                | C::PastePicture(_)
                | C::PutOnCanvas(_)
                | C::Redo
                | C::JumpTo(_)
                | C::ActivateLayer(_)
                | C::ChangeLayer(..)
                | C::SelectAll
                | C::Deselect
                | C::InvertSelection
                | C::MaskClear
                | C::MaskFromSelection
                | C::LayerAdd
                | C::LayerDuplicate
                | C::LayerDelete
                | C::LayerUp
                | C::LayerDown
                | C::LayerMergeDown
                | C::LayerFlatten
                | C::LayerToggleVisible
                | C::LayerClear
        )
        || desk_commands::tool_of(command).is_some()
}

fn carry_out(state: &mut State, command: Command) -> Vec<Effect> {
    match command {
        Command::Generate => generate(state),
        Command::Cancel => cancel(state),
        Command::CancelAll => {
            state.waiting.retain(|command| *command != Command::Generate);
            state.ledger.cancel_all().map(Effect::Stop).into_iter().collect()
        }
        Command::SaveAs => {
            let ask = |p: &Painting| Effect::AskPath {
                id: p.id,
                file_name: format!("{}.png", super::clerk::file_name(&p.recipe)),
            };
            state.asked = state.looked_at().cloned();
            state.asked.as_ref().map(ask).into_iter().collect()
        }
        Command::SaveTo(id, path) => {
            let asked = state.asked.take().filter(|painting| painting.id == id);
            let painting = asked.or_else(|| state.painting(id).cloned());
            painting.map(|painting| Effect::Export(painting, path)).into_iter().collect()
        }
        Command::CancelJob(id) => {
            // A job that waits leaves the queue without the worker.
            let mut effects: Vec<_> = state.ledger.cancel(id).then_some(Effect::Stop(id)).into_iter().collect();
            // Others may have waited for it to be prepared.
            effects.extend(start_next(state));
            effects
        }
        Command::MoveJob(id, place) => {
            state.ledger.reorder(id, place);
            // The next may have been one that is being prepared.
            start_next(state)
        }
        Command::RetryJob(id) => match state.ledger.retry(id) {
            Some(again) => {
                if let Some(placed) = state.places.get(&id).cloned() {
                    state.places.insert(again, placed);
                }
                start_next(state)
            }
            None => Vec::new(),
        },
        Command::WeightUp => vec![Effect::Weigh(WEIGHT_STEP)],
        Command::WeightDown => vec![Effect::Weigh(-WEIGHT_STEP)],
        Command::SetStyle(old, style) => {
            let new = style.name.trim().to_owned();
            if new.is_empty() {
                return Vec::new();
            }
            match old {
                Some(old) => {
                    state.styles.replace(&old, style);
                    state.worn.iter_mut().filter(|name| **name == old).for_each(|name| name.clone_from(&new));
                }
                None => state.styles.set(style),
            }
            vec![Effect::RememberStyles]
        }
        Command::RemoveStyle(name) => {
            state.styles.remove(&name);
            state.worn.retain(|worn| *worn != name);
            vec![Effect::RememberStyles]
        }
        Command::ForgetPrompt(prompt) => {
            state.history.remove(&prompt);
            vec![Effect::RememberPrompts]
        }
        Command::UsePrompt(prompt) => {
            state.draft.prompt = prompt;
            vec![Effect::FocusPrompt]
        }
        Command::Palette => vec![Effect::Show(Card::Palette)],
        Command::EditShortcuts => vec![Effect::Show(Card::Shortcuts)],
        Command::About => vec![Effect::Show(Card::About)],
        Command::EditStyle(name) => vec![Effect::Show(Card::Style(name))],
        Command::OpenLink(link) => vec![Effect::OpenLink(link)],
        Command::Wall(act) => wall::carry_out(state, act),
        Command::OpenFolder => vec![Effect::OpenFolder],
        Command::OpenModels => vec![Effect::OpenModels],
        Command::Example(number) if number < EXAMPLES => {
            state.draft.prompt = text(Language::ZhCn, &format!("example-{}", number + 1));
            generate(state)
        }
        Command::PutOnCanvas(id) => {
            state.view = View::Easel;
            let painting = state.painting(id).cloned();
            let placed = painting.map(|painting| Painting { place: Some(place_for(state, &painting)), ..painting });
            placed.map(|painting| lay(state, painting, Purpose::Lay)).into_iter().collect()
        }
        work if is_mask_work(&work) => masking::begin(state, &work),
        Command::VariantNext => staging::leaf(state, 1),
        Command::VariantPrevious => staging::leaf(state, -1),
        Command::VariantKeep => {
            staging::keep(state);
            Vec::new()
        }
        Command::VariantKeepLayer => told(state, staging::keep_as_layer),
        Command::VariantDiscard => told(state, staging::discard),
        other => filing::carry_out(state, other).unwrap_or_else(|other| {
            if !desk_commands::carry_out(state, &other) {
                change(state, other);
            }
            Vec::new()
        }),
    }
}

/// Does something that may fail, and tells if it did.
fn told(state: &mut State, work: fn(&mut State) -> Result<(), Problem>) -> Vec<Effect> {
    if let Err(problem) = work(state) {
        state.complain(problem);
    }
    Vec::new()
}

/// The commands that ask nothing of the world.
fn change(state: &mut State, command: Command) {
    match command {
        Command::ReuseRecipe => reuse(state),
        Command::ReuseSeed => {
            if let Some(seed) = state.looked_at().map(|painting| painting.recipe.seed) {
                (state.draft.seed.value, state.draft.seed.kept) = (seed, true);
            }
        }
        Command::Dice => state.draft.seed.kept = false,
        Command::KeepSeed => state.draft.seed.kept = true,
        Command::Choose(preset) => {
            let guidance = state.model().map_or(state.draft.sampling.guidance, |model| model.family.guidance);
            state.draft.sampling = preset.sampling(guidance);
        }
        Command::ChooseModel(index) => choose_model(state, index),
        Command::LookAt(id) if state.painting(id).is_some() => state.view = View::Painting(id),
        Command::LookAtEasel => state.view = View::Easel,
        Command::ShowGallery => {
            state.view = View::Gallery;
            state.wall.refresh();
        }
        Command::ShowStudio if state.view == View::Gallery => state.view = View::Easel,
        // What is taken up is worked on in the studio.
        Command::LookNewer => step(state, -1),
        Command::LookOlder => step(state, 1),
        Command::SetLanguage(language) => state.language = language,
        Command::SwitchLanguage => {
            state.language = match state.language {
                Language::ZhCn => Language::En,
                Language::En => Language::ZhCn,
            }
        }
        Command::SwitchShade => state.shade = state.shade.other(),
        Command::ScaleUp => state.scale = state.scale.larger(),
        Command::ScaleDown => state.scale = state.scale.smaller(),
        Command::ScaleReset => state.scale = Scale::default(),
        Command::ForgetJob(id) => {
            state.ledger.forget(id);
            state.tidy_places();
        }
        Command::ForgetSettled => {
            state.ledger.forget_settled();
            state.tidy_places();
        }
        Command::WearStyle(name) => {
            if state.worn.contains(&name) {
                state.worn.retain(|worn| *worn != name);
            } else if state.styles.get(&name).is_some() {
                state.worn.push(name);
            }
        }
        Command::Unfold(id) => {
            if let Some(message) = state.messages.iter_mut().find(|message| message.id == id) {
                message.unfolded = !message.unfolded;
            }
        }
        Command::Dismiss(id) => state.messages.retain(|message| message.id != id),
        _ => {}
    }
}

/// Gives up what is in hand: the stroke; without one, work on the mask; without that, the running job; without one, what
/// is made ready for one.
fn cancel(state: &mut State) -> Vec<Effect> {
    if state.desk.is_busy() {
        state.desk.stop();
        return run_waiting(state);
    }
    if masking::take_back(state) {
        return run_waiting(state);
    }
    if let Some(id) = state.ledger.running().map(|(entry, _)| entry.id) {
        return state.ledger.cancel(id).then_some(Effect::Stop(id)).into_iter().collect();
    }
    if state.ledger.give_up_all() {
        state.say(Said::Note("note-stopped", Vec::new()));
    }
    start_next(state)
}

/// Where it came from, if the canvas is of the size that it was then; else the middle of the frame.
fn place_for(state: &State, painting: &Painting) -> Place {
    let canvas = state.desk.document().extent();
    let known = painting.place.as_ref().filter(|_| painting.spot.is_none_or(|spot| spot.canvas == canvas));
    known.cloned().unwrap_or_else(|| {
        let extent = painting.picture.extent();
        let (x, y) = filing::centred(state, extent);
        Place::Frame(IntRect::new(x, y, extent.width, extent.height))
    })
}

/// A picture on its way to the canvas.
pub(super) fn lay(state: &mut State, painting: Painting, purpose: Purpose) -> Effect {
    state.joining += 1;
    Effect::Lay(painting, purpose)
}

fn generate(state: &mut State) -> Vec<Effect> {
    if state.models.is_empty() {
        let folder = state.models_folder.display().to_string();
        state.say(Said::Note("empty-no-model-advice", vec![("folder", folder)]));
        return Vec::new();
    }
    if state.draft.prompt.trim().is_empty() {
        state.say(Said::Note("note-write-first", Vec::new()));
        return vec![Effect::FocusPrompt];
    }
    let before = state.draft.seed.value;
    if !state.draft.seed.kept {
        state.draft.seed.value = draw_seed();
    }
    // A draft that is refused leaves the canvas as it is.
    if plan(state).is_ok() {
        state.desk.finish();
        state.desk.follow(state.draft.size);
    }
    match plan_on_canvas(state) {
        Ok(Planned::Ready(recipe, placed)) => {
            let id = state.ledger.enqueue(*recipe);
            state.places.insert(id, placed);
            state.view = View::Easel;
            state.history.add(&state.draft.prompt);
            let mut effects = start_next(state);
            effects.push(Effect::RememberPrompts);
            effects
        }
        Ok(Planned::Unfinished(mut preparation)) => {
            preparation.ticket = state.ledger.reserve(preparation.recipe.clone());
            state.view = View::Easel;
            state.history.add(&state.draft.prompt);
            vec![Effect::Prepare(preparation), Effect::RememberPrompts]
        }
        Err(problem) => {
            state.draft.seed.value = before;
            state.complain(problem);
            Vec::new()
        }
    }
}

/// Hands the next waiting job to the worker, if none runs.
pub(super) fn start_next(state: &mut State) -> Vec<Effect> {
    let Some((id, recipe)) = state.ledger.start_next() else {
        return Vec::new();
    };
    let size = recipe.size;
    state.forming =
        Some(Forming { job: id, size, previews: Vec::new(), serial: 0, stepped: Instant::now(), trails: Vec::new() });
    vec![Effect::Paint(id, recipe)]
}

/// The recipe of the picture that is looked at becomes the draft.
fn reuse(state: &mut State) {
    let Some(recipe) = state.looked_at().map(|painting| painting.recipe.clone()) else {
        return;
    };
    let draft = &mut state.draft;
    if let Some(model) = state.models.iter().position(|model| model.path == recipe.model) {
        draft.model = model;
    }
    // The recipe's words have the styles in them.
    state.worn.clear();
    draft.prompt.clone_from(&recipe.prompt);
    draft.negative.clone_from(&recipe.negative);
    draft.sampling = recipe.sampling;
    draft.size = recipe.size;
    (draft.seed.value, draft.seed.kept) = (recipe.seed, true);
    draft.batch = recipe.batch;
    state.avoiding |= !recipe.negative.is_empty();
    state.say(Said::Note("note-recipe-reused", Vec::new()));
}

/// Another model brings its own size and guidance, unless the artist had chosen others.
fn choose_model(state: &mut State, index: usize) {
    let Some(new) = state.models.get(index).map(|model| model.family.clone()) else {
        return;
    };
    let old = state.model().map(|model| model.family.clone());
    let draft = &mut state.draft;
    draft.model = index;
    if old.as_ref().is_none_or(|old| draft.size == old.native)
        || crate::recipe::check::check_size(draft.size, &new).is_err()
    {
        draft.size = new.native;
    }
    if old.is_none_or(|old| draft.sampling.guidance == old.guidance) {
        draft.sampling.guidance = new.guidance;
    }
}

/// Looks at the neighbour in the strip; the easel, while something forms on it, lies before the newest.
fn step(state: &mut State, by: isize) {
    let count = state.paintings.len() as isize;
    let first = if state.forming.is_some() { -1 } else { 0 };
    let here = match state.view {
        View::Easel | View::Gallery => -1,
        View::Painting(id) => state.paintings.iter().position(|p| p.id == id).map_or(-1, |at| at as isize),
    };
    let there = (here + by).clamp(first, (count - 1).max(first));
    state.view = usize::try_from(there)
        .ok()
        .and_then(|at| state.paintings.get(at))
        .map_or(View::Easel, |painting| View::Painting(painting.id));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::settings::Settings;
    use crate::app::state::Model;
    use crate::app::styles::Style;
    use crate::base::{Extent, ProblemKind};
    use crate::imaging::Pixmap;
    use crate::jobs::fake::fake_family;
    use crate::recipe::{FamilyInfo, Preset};
    use std::sync::Arc;

    fn state() -> State {
        let family = |side, guidance| FamilyInfo { native: Extent::new(side, side), guidance, ..fake_family() };
        let model = |name: &str, family| Model { name: name.into(), path: name.into(), family };
        let models = vec![model("小图", family(256, 5.0)), model("太乙", family(512, 7.5))];
        State::new(models, &Settings::default(), Language::ZhCn)
    }

    fn hang(state: &mut State, prompt: &str) -> ImageId {
        state.draft.prompt = prompt.into();
        let recipe = Arc::new(plan(state).unwrap());
        let id = ImageId::fresh();
        let picture = Arc::new(Pixmap::new(Extent::new(8, 8)));
        state.hang(Painting {
            id,
            picture,
            recipe,
            model: String::new(),
            thumbnail: None,
            file: None,
            trail: Default::default(),
            place: None,
            spot: None,
        });
        id
    }

    #[test]
    fn generate_needs_words_and_draws_a_seed() {
        let mut state = state();
        assert!(matches!(update(&mut state, Command::Generate)[..], [Effect::FocusPrompt]));
        state.draft.prompt = "山".into();
        let effects = update(&mut state, Command::Generate);
        let [Effect::Paint(_, recipe), Effect::RememberPrompts] = &effects[..] else { panic!("{effects:?}") };
        assert_eq!(recipe.seed, state.draft.seed.value);
        update(&mut state, Command::KeepSeed);
        let effects = update(&mut state, Command::Generate);
        assert!(matches!(effects[..], [Effect::RememberPrompts]), "it waits for the first");
        assert_eq!(state.history.iter().collect::<Vec<_>>(), ["山"]);
        assert_eq!(state.ledger.waiting().next().unwrap().recipe.seed, state.draft.seed.value);
        assert!(matches!(update(&mut state, Command::CancelAll)[..], [Effect::Stop(_)]));
        assert_eq!(state.ledger.waiting().len(), 0);
    }

    #[test]
    fn a_bad_draft_is_a_message_and_costs_no_seed() {
        let mut state = state();
        state.draft.prompt = "山".into();
        state.draft.size = Extent::new(100, 100);
        let seed = state.draft.seed;
        assert!(update(&mut state, Command::Generate).is_empty());
        assert!(matches!(&state.messages[0].said, Said::Problem(p) if p.kind == ProblemKind::SizeUneven));
        assert_eq!(state.draft.seed, seed);
        update(&mut state, Command::Generate);
        assert_eq!(state.messages.len(), 1, "the same words are not said twice");
        let id = state.messages[0].id;
        update(&mut state, Command::Unfold(id));
        assert!(state.messages[0].unfolded);
        update(&mut state, Command::Dismiss(id));
        assert!(state.messages.is_empty());
    }

    #[test]
    fn a_model_brings_its_size_and_guidance_unless_others_were_chosen() {
        let mut state = state();
        assert_eq!(state.draft.size, Extent::new(256, 256));
        update(&mut state, Command::ChooseModel(1));
        assert_eq!((state.draft.size, state.draft.sampling.guidance), (Extent::new(512, 512), 7.5));
        state.draft.size = Extent::new(640, 448);
        state.draft.sampling.guidance = 3.0;
        update(&mut state, Command::ChooseModel(0));
        assert_eq!((state.draft.size, state.draft.sampling.guidance), (Extent::new(640, 448), 3.0));
        update(&mut state, Command::ChooseModel(9));
        assert_eq!(state.draft.model, 0);
        update(&mut state, Command::Choose(Preset::Faithful));
        assert_eq!((state.draft.sampling.steps, state.draft.sampling.guidance), (50, 5.0));
    }

    #[test]
    fn a_recipe_comes_back_whole() {
        let mut state = state();
        state.draft.seed.value = 77;
        state.draft.sampling = Preset::Quick.sampling(3.5);
        let id = hang(&mut state, "独钓寒江雪");
        let recipe = state.painting(id).unwrap().recipe.clone();
        update(&mut state, Command::ChooseModel(1));
        state.draft.prompt = "别的".into();
        update(&mut state, Command::LookAt(id));
        update(&mut state, Command::ReuseRecipe);
        assert!(state.draft.seed.kept);
        assert_eq!(plan(&state).unwrap(), *recipe);
    }

    #[test]
    fn the_queue_is_put_in_order() {
        let mut state = state();
        state.draft.prompt = "山".into();
        for _ in 0..4 {
            update(&mut state, Command::Generate);
        }
        let running = state.ledger.running().unwrap().0.id;
        let ids: Vec<_> = state.ledger.waiting().map(|entry| entry.id).collect();
        let waiting = |state: &State| state.ledger.waiting().map(|entry| entry.id).collect::<Vec<_>>();
        update(&mut state, Command::MoveJob(ids[2], 0));
        assert_eq!(waiting(&state), [ids[2], ids[0], ids[1]]);
        assert!(update(&mut state, Command::CancelJob(ids[0])).is_empty());
        assert_eq!(waiting(&state), [ids[2], ids[1]]);
        assert!(matches!(update(&mut state, Command::CancelJob(running))[..], [Effect::Stop(id)] if id == running));
        update(&mut state, Command::RetryJob(ids[0]));
        assert_eq!(waiting(&state).len(), 3);
        update(&mut state, Command::ForgetJob(ids[0]));
        assert_eq!(state.ledger.settled().len(), 0);
    }

    #[test]
    fn styles_are_worn_renamed_and_removed() {
        let mut state = state();
        for name in ["水墨", "油画", "没有的"] {
            update(&mut state, Command::WearStyle(name.into()));
        }
        assert_eq!(state.worn, ["水墨", "油画"]);
        let night = Style { name: "夜".into(), ..state.styles.get("水墨").unwrap().clone() };
        assert!(matches!(
            update(&mut state, Command::SetStyle(Some("水墨".into()), night))[..],
            [Effect::RememberStyles]
        ));
        assert_eq!(state.worn, ["夜", "油画"]);
        update(&mut state, Command::WearStyle("油画".into()));
        update(&mut state, Command::RemoveStyle("夜".into()));
        assert!(state.worn.is_empty() && state.styles.get("夜").is_none());
    }

    #[test]
    fn the_scale_has_ends() {
        let mut state = state();
        (0..20).for_each(|_| drop(update(&mut state, Command::ScaleUp)));
        assert_eq!(state.scale.percent(), 300);
        (0..20).for_each(|_| drop(update(&mut state, Command::ScaleDown)));
        assert_eq!(state.scale.percent(), 75);
        update(&mut state, Command::ScaleReset);
        assert_eq!(state.scale, Scale::default());
    }

    #[test]
    fn browsing_stops_at_the_ends() {
        let mut state = state();
        update(&mut state, Command::LookOlder);
        assert_eq!(state.view, View::Easel);
        let old = hang(&mut state, "一");
        let new = hang(&mut state, "二");
        update(&mut state, Command::LookOlder);
        assert_eq!(state.view, View::Painting(new));
        update(&mut state, Command::LookOlder);
        update(&mut state, Command::LookOlder);
        assert_eq!(state.view, View::Painting(old));
        update(&mut state, Command::LookNewer);
        update(&mut state, Command::LookNewer);
        assert_eq!(state.view, View::Painting(new));
        update(&mut state, Command::Generate);
        assert_eq!(state.view, View::Easel);
        update(&mut state, Command::LookOlder);
        update(&mut state, Command::LookNewer);
        assert_eq!(state.view, View::Easel, "the easel has something on it");
    }
}
