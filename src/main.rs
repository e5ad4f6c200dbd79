//! The composition root: arguments, logging, the engine, and then the window or a command.

use danqing::base::Problem;
use danqing::cli::{self, arguments};
use danqing::engine::{CandleGenerator, EngineFolders};
use danqing::recipe::{Cancel, DeviceLister, Generator};
use danqing::words::Language;
use danqing::{catalog, engine, gallery, ui};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let filter = EnvFilter::try_from_env("DANQING_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let language = Language::detect();
    let arguments = match arguments::read(std::env::args_os(), language) {
        Ok(arguments) => arguments,
        Err(refusal) => {
            // Asking for help is no mistake; clap knows the difference.
            let code = refusal.exit_code();
            return if refusal.print().is_err() {
                ExitCode::FAILURE
            } else {
                ExitCode::from(u8::try_from(code).unwrap_or(2))
            };
        }
    };
    let places = Places::of_this_user();
    let folders = places.engine();
    match &arguments.command {
        Some(command) => {
            let cancel = Cancel::new();
            let on_signal = cancel.clone();
            if let Err(error) = ctrlc::set_handler(move || on_signal.request()) {
                tracing::warn!(%error, "Ctrl+C will end the program at once");
            }
            let build = folders.clone();
            let tools = cli::Tools {
                generator: &move || Ok(Box::new(CandleGenerator::new(build.clone())) as Box<dyn Generator>),
                family: &|model: &Path| folders.family(model),
                bench: &engine::bench::run,
                cancel,
                language,
            };
            cli::run(command, &tools)
        }
        None => match open_window(places, folders, arguments.files, language) {
            Ok(()) => ExitCode::SUCCESS,
            Err(problem) => {
                cli::report::notice(&cli::report::problem_lines(&problem, language));
                ExitCode::FAILURE
            }
        },
    }
}

fn open_window(places: Places, folders: EngineFolders, files: Vec<PathBuf>, language: Language) -> Result<(), Problem> {
    let models = catalog::models(&folders.models);
    let mut faults = Vec::new();
    let models = models.into_iter().filter_map(|model| match folders.family(&model.path) {
        Ok(info) => Some((engine::title(&model.path), model.path, info)),
        Err(problem) => {
            tracing::warn!(%problem, "a model is left out");
            faults.push(problem);
            None
        }
    });
    let models = models.collect();
    ui::run(ui::Setup {
        factory: Box::new(move || Ok(Box::new(CandleGenerator::new(folders.clone())) as Box<dyn Generator>)),
        models,
        devices: DeviceLister::new(engine::device::list),
        faults,
        models_folder: places.own_models,
        gallery: gallery::Place {
            folder: places.pictures,
            database: places.data.join("gallery.db"),
            thumbnails: places.cache.join("thumbnails.db"),
            system_trash: true,
        },
        settings_path: places.settings,
        recovery_folder: places.recovery,
        // The dialogs of the desktop and the list of recent files know no working directory.
        files: files.into_iter().map(|file| std::path::absolute(&file).unwrap_or(file)).collect(),
        language,
    })
}

/// Where this user's files live.
struct Places {
    /// The folders that are searched; those that exist.
    models: Vec<PathBuf>,
    /// The one among them that belongs to the user, whether it exists or not.
    own_models: PathBuf,
    data: PathBuf,
    cache: PathBuf,
    pictures: PathBuf,
    settings: PathBuf,
    recovery: PathBuf,
}

impl Places {
    fn of_this_user() -> Self {
        let mut models: Vec<PathBuf> = std::env::var_os("DANQING_MODELS").map(PathBuf::from).into_iter().collect();
        // Beside the program: an unpacked archive, an installation (bin beside share), or a build in target/.
        if let Ok(program) = std::env::current_exe().and_then(|path| path.canonicalize()) {
            for folder in program.ancestors().skip(1).take(4) {
                models.push(folder.join("models"));
                models.push(folder.join("share").join("danqing").join("models"));
            }
        }
        let own = directories::ProjectDirs::from("", "", "danqing");
        let own_folder = |pick: fn(&directories::ProjectDirs) -> &Path| {
            own.as_ref().map_or_else(|| std::env::temp_dir().join("danqing"), |dirs| pick(dirs).to_path_buf())
        };
        let own_models = own_folder(directories::ProjectDirs::data_dir).join("models");
        models.push(own_models.clone());
        models.retain(|folder| folder.is_dir());
        let user = directories::UserDirs::new();
        let pictures = user.as_ref().and_then(|dirs| dirs.picture_dir().map(Path::to_path_buf));
        let home = user.as_ref().map(|dirs| dirs.home_dir().to_path_buf());
        Self {
            models,
            own_models,
            data: own_folder(directories::ProjectDirs::data_dir),
            cache: own_folder(directories::ProjectDirs::cache_dir),
            pictures: pictures.or(home).unwrap_or_else(std::env::temp_dir).join("丹青"),
            settings: own_folder(directories::ProjectDirs::config_dir).join("settings.json"),
            recovery: own_folder(directories::ProjectDirs::data_dir).join("recovery"),
        }
    }

    fn engine(&self) -> EngineFolders {
        EngineFolders { models: self.models.clone(), cache: self.cache.clone() }
    }
}
