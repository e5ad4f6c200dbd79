//! 丹青 Danqing: a painting studio for people who think in Chinese.
//!
//! # A bird's-eye view
//!
//! One crate, in floors. A module imports only from floors below its own; `tests/architecture.rs` holds the code to it.
//!
//! | floor | knows | may import (all may import `base`) |
//! |---|---|---|
//! | [`base`] | geometry, ids, [`base::Problem`], atomic files; nothing of pictures | – |
//! | [`words`] | what is said to people, in zh-CN and en | – |
//! | [`imaging`] | pixels: pixmaps, masks, resampling, blending, PNG text | – |
//! | [`recipe`] | a request as a value, the port to the engine, metadata | imaging |
//! | [`canvas`] | the document: tiles, layers, transactions, history, strokes, compositing, the view | imaging |
//! | [`tools`] | from the pointer to changes of the document, one file a tool | imaging, canvas |
//! | [`catalog`] | which models lie on this disk; safetensors and pickles | recipe |
//! | [`engine`] | candle; networks, samplers, noise, and the kernels that they run on | imaging, recipe, catalog |
//! | [`jobs`] | the worker thread, the queue, a fake engine for tests | imaging, recipe |
//! | [`gallery`] | the index over the picture files, search, thumbnails, trash | imaging, recipe |
//! | [`app`] | the session without a screen: state, commands, plan, settings | all above but engine |
//! | [`ui`] | egui | all above but engine |
//! | [`cli`] | the same engine without a window | words, imaging, recipe, catalog, jobs, gallery |
//!
//! `main.rs` is the composition root: it alone hands an engine to a window or to the command line.
//!
//! Adding a sampler, a family, a tool or a panel is one file and one line in a table. No family is matched on outside its table;
//! the window asks [`recipe::FamilyInfo`] what a model can do.
//!
//! # Two flows
//!
//! **From a key press to a preview.** The prompt panel edits the draft in [`app`]; Ctrl+Enter is a command; `app::plan`
//! makes a checked [`recipe::Recipe`] or a [`base::Problem`]; [`jobs`] hands it to the worker thread; `engine::pipeline`
//! encodes the text, lays out the sigmas, wraps the network into `denoised = f(x, sigma)` and runs a sampler; after each
//! pass the denoised latent goes through one small matrix to RGB at latent size (`engine::preview`), and on as an
//! event that may be dropped; the waker asks for a repaint; the texture is uploaded once and scaled by the GPU.
//!
//! **From a brush stroke to a repaint.** Pointer events go through [`canvas::View`] to the tool in the hand
//! ([`app`]'s desk), which paints through a transaction; what changed is found by comparing documents and sent to the
//! graphics card tile by tile; releasing the pointer makes one step of the history. Generate hands the clerk's thread a
//! snapshot of the document; `recipe::inpaint` plans the crop round the mask, its working size, what is denoised and how
//! the result joins; the pipeline wraps the denoiser with the mask at latent size, so that every sampler keeps what lies
//! outside; the clerk joins the result, and it is laid on the document it was meant for as a layer, one step. Pixels
//! outside the soft edge stay as they were, bit for bit.
//!
//! # How a network computes
//!
//! What flows through `engine::nets` is a feature of one of two kinds. On the processor it is a map of rows of channels
//! (NHWC), in f32 or bf16, or in bytes on the way into a product; layers hold weights packed once for the instructions at
//! hand, and `engine::kernels` (slices in, slices out) do the work, in f32, bf16 or int8. On a graphics card it is a
//! candle tensor. The networks are written once, over both; a test holds the two ways and diffusers together.
//!
//! # Invariants
//!
//! 1. A recipe determines a picture: same recipe, same kind of device (a processor with the same instructions, where the
//!    precision is left to us), same bits, whatever the number of threads. Noise comes from `engine::noise` alone; a
//!    picture of a batch does not depend on its neighbours.
//! 2. Samplers know nothing of guidance, masks or families. The window knows nothing of candle, the engine nothing of
//!    egui.
//! 3. The window never waits: no file, no decoding, no thumbnail, no lock that a worker can hold.
//! 4. The worker is a named thread and owns the generator. A panic ends the job, not the program: the generator is built
//!    anew and the next job works. A graphics card that fails costs time and no job: it is painted again on the
//!    processor, and the artist is told. Cancelling is honoured inside a network pass and skips the decoding.
//! 5. Every file is written beside its place and renamed over it. What is not saved is kept in a journal that a crash at
//!    any instant leaves readable.
//! 6. Nothing that a model file contains is executed: pickles are read by an allow-list.
//! 7. Every per-step latent of a finished job is kept with it.
//! 8. Pixels of the document change only inside a transaction; one that changed nothing leaves no step. Undoing and
//!    doing again is bit for bit.

pub mod base;
pub mod words;

pub mod imaging;
pub mod recipe;

pub mod canvas;
pub mod tools;

pub mod catalog;
pub mod engine;
pub mod gallery;
pub mod jobs;

pub mod app;
pub mod cli;
pub mod ui;
