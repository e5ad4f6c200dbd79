//! The devices that candle computes on: which there are, opening one, and what happens when one lets a job down.

use crate::base::{Problem, ProblemKind, machine};
use crate::recipe::{DeviceChoice, DeviceInfo, DeviceMemory, Progress};
#[cfg(feature = "cuda")]
use candle_core::cuda::cudarc::driver::CudaContext;
use candle_core::{DType, Device, Tensor};

/// The devices that this program can compute on here, the processor first.
pub fn list() -> Vec<DeviceInfo> {
    let look = |id| match glance(id) {
        Ok(info) => Some(info),
        Err(error) => {
            tracing::warn!(%id, %error, "a graphics card is left out");
            None
        }
    };
    std::iter::once(DeviceChoice::Cpu).chain(cards()).filter_map(look).collect()
}

/// What can be said of a device without using it.
fn glance(id: DeviceChoice) -> candle_core::Result<DeviceInfo> {
    #[cfg(feature = "cuda")]
    if let DeviceChoice::Cuda(ordinal) = id {
        let context = CudaContext::new(ordinal).map_err(candle_core::Error::wrap)?;
        return Ok(of_context(id, &context));
    }
    Ok(describe(id, &connect(id)?))
}

#[cfg(feature = "cuda")]
fn of_context(id: DeviceChoice, context: &CudaContext) -> DeviceInfo {
    let name = context.name().unwrap_or_else(|_| id.to_string());
    let bytes = |(free, total)| DeviceMemory { free: free as u64, total: total as u64 };
    DeviceInfo { id, name, memory: context.mem_get_info().ok().map(bytes) }
}

/// The graphics cards that this program was built for, whether they work or not.
fn cards() -> Vec<DeviceChoice> {
    // Without a driver there are none.
    #[cfg(feature = "cuda")]
    let count = CudaContext::device_count().unwrap_or(0);
    #[cfg(not(feature = "cuda"))]
    let count = 0;
    let cuda = (0..usize::try_from(count).unwrap_or(0)).map(DeviceChoice::Cuda);
    cuda.chain(cfg!(feature = "metal").then_some(DeviceChoice::Metal)).collect()
}

/// The device for a choice; for [`DeviceChoice::Auto`] the processor.
fn connect(choice: DeviceChoice) -> candle_core::Result<Device> {
    match choice {
        DeviceChoice::Auto | DeviceChoice::Cpu => Ok(Device::Cpu),
        DeviceChoice::Cuda(ordinal) => Device::new_cuda(ordinal),
        // Where there is no such device, candle panics.
        DeviceChoice::Metal => std::panic::catch_unwind(|| Device::new_metal(0))
            .unwrap_or_else(|_| Err(candle_core::Error::Msg("Metal has no device".into()))),
    }
}

/// What can be said of an open device.
fn describe(id: DeviceChoice, device: &Device) -> DeviceInfo {
    let (name, memory) = match device {
        Device::Cpu => {
            let bytes = |mib: f64| (mib * f64::from(1 << 20)) as u64;
            let memory = super::memory::available().zip(machine::memory_mb());
            (machine::processor(), memory.map(|(free, total)| DeviceMemory { free, total: bytes(total) }))
        }
        #[cfg(feature = "cuda")]
        Device::Cuda(card) => return of_context(id, card.cuda_stream().context()),
        #[cfg(feature = "metal")]
        Device::Metal(card) => {
            let total = card.device().recommended_max_working_set_size() as u64;
            let used = card.device().current_allocated_size() as u64;
            let memory = DeviceMemory { free: total.saturating_sub(used), total };
            (Some(card.device().architecture_name()), Some(memory))
        }
        // Kinds that this program was not built for.
        #[allow(unreachable_patterns)]
        _ => (None, None),
    };
    DeviceInfo { id, name: name.unwrap_or_else(|| id.to_string()), memory }
}

/// Does a little on the device and looks at the result. A card may be older than the kernels were built for, which shows
/// at the first of them and not before.
fn try_out(device: &Device) -> candle_core::Result<()> {
    let x = Tensor::ones((2, 2), DType::F16, device)?;
    let sum = x.matmul(&x)?.to_dtype(DType::F32)?.sum_all()?.to_scalar::<f32>()?;
    if sum == 8.0 { Ok(()) } else { candle_core::bail!("1·1 + 1·1 came to {}", sum / 4.0) }
}

/// A device that works.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Never [`DeviceChoice::Auto`].
    pub id: DeviceChoice,
    /// For people.
    pub name: String,
    pub device: Device,
}

impl Opened {
    pub fn processor() -> Self {
        Self { id: DeviceChoice::Cpu, name: DeviceChoice::Cpu.to_string(), device: Device::Cpu }
    }

    fn is_processor(&self) -> bool {
        self.id == DeviceChoice::Cpu
    }
}

/// Opens what was chosen.
///
/// # Errors
/// [`ProblemKind::DeviceMissing`] and [`ProblemKind::DeviceFailed`] for a card that was chosen by name.
pub fn open(choice: DeviceChoice) -> Result<Opened, Problem> {
    match choice {
        DeviceChoice::Auto => {
            let working = cards().into_iter().find_map(|card| match open(card) {
                Ok(opened) => Some(opened),
                Err(problem) => {
                    tracing::warn!(%problem, "a graphics card is not used");
                    None
                }
            });
            Ok(working.unwrap_or_else(Opened::processor))
        }
        DeviceChoice::Cpu => Ok(Opened::processor()),
        card => {
            let problem = |kind, name: &str, error| Problem::new(kind).with("device", name).detail(error);
            let device =
                connect(card).map_err(|error| problem(ProblemKind::DeviceMissing, &card.to_string(), error))?;
            let name = describe(card, &device).name;
            try_out(&device).map_err(|error| problem(ProblemKind::DeviceFailed, &name, error))?;
            tracing::info!(device = %card, name, "open");
            Ok(Opened { id: card, name, device })
        }
    }
}

/// The device in use, and what has become of it.
pub struct Devices {
    wanted: DeviceChoice,
    opened: Option<Opened>,
    /// The wanted device is not there, or has failed: it is not tried again until another one was wanted.
    lost: bool,
    open: fn(DeviceChoice) -> Result<Opened, Problem>,
}

impl Default for Devices {
    fn default() -> Self {
        Self { wanted: DeviceChoice::default(), opened: None, lost: false, open }
    }
}

impl Devices {
    /// From now on this one is wanted.
    pub fn choose(&mut self, wanted: DeviceChoice) {
        if wanted != self.wanted {
            *self = Self { wanted, opened: None, lost: false, open: self.open };
        }
    }

    /// Does `work` on the wanted device; if that lets it down, from the start on the processor, and `progress` hears why.
    /// A card whose memory did not suffice gets the next job again.
    ///
    /// # Errors
    /// Those of `work`, on the processor in the end.
    pub fn run<T>(
        &mut self,
        progress: &mut dyn Progress,
        work: &mut dyn FnMut(&Opened, &mut dyn Progress) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let opened = self.current(progress);
        match work(&opened, progress) {
            Err(problem) if !opened.is_processor() && is_the_devices_fault(problem.kind) => {
                self.lost = problem.kind == ProblemKind::Internal;
                let kind = match problem.kind {
                    ProblemKind::OutOfMemory => ProblemKind::DeviceFull,
                    _ => ProblemKind::DeviceFailed,
                };
                let why = Problem::new(kind).with("device", &opened.name);
                progress.restarted(why.detail(problem.detail.unwrap_or_else(|| problem.kind.key().to_owned())));
                work(&Opened::processor(), progress)
            }
            done => done,
        }
    }

    fn current(&mut self, progress: &mut dyn Progress) -> Opened {
        if self.lost {
            // What is left of it is let go.
            self.opened = None;
            return Opened::processor();
        }
        if let Some(opened) = &self.opened {
            return opened.clone();
        }
        match (self.open)(self.wanted) {
            Ok(opened) => self.opened.insert(opened).clone(),
            Err(problem) => {
                self.lost = true;
                progress.restarted(problem);
                Opened::processor()
            }
        }
    }
}

/// Whether the processor may do better: errors of the libraries, and what comes of less memory or precision.
fn is_the_devices_fault(kind: ProblemKind) -> bool {
    matches!(kind, ProblemKind::Internal | ProblemKind::OutOfMemory | ProblemKind::NotANumber)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Severity;
    use crate::recipe::{Cancel, Phase, Step, Stop};
    use std::ops::ControlFlow;

    #[derive(Default)]
    struct Ear(Vec<Problem>);

    impl Progress for Ear {
        fn phase(&mut self, _: Phase) -> ControlFlow<Stop> {
            ControlFlow::Continue(())
        }

        fn step(&mut self, _: Step<'_>) -> ControlFlow<Stop> {
            ControlFlow::Continue(())
        }

        fn restarted(&mut self, why: Problem) {
            self.0.push(why);
        }

        fn cancel(&self) -> Cancel {
            Cancel::new()
        }
    }

    /// One that passes the processor off as a card; the second is not there.
    fn pretend(choice: DeviceChoice) -> Result<Opened, Problem> {
        match choice {
            DeviceChoice::Cuda(1) => Err(Problem::new(ProblemKind::DeviceMissing).with("device", choice)),
            id => Ok(Opened { id, name: "某显卡".into(), device: Device::Cpu }),
        }
    }

    /// Runs a job that ends so on a card; gives where it ran, what came of it, and what was said.
    fn job(devices: &mut Devices, fault: Option<ProblemKind>) -> (Vec<DeviceChoice>, bool, Vec<Problem>) {
        let (mut ran, mut ear) = (Vec::new(), Ear::default());
        let done = devices.run(&mut ear, &mut |opened, _| {
            ran.push(opened.id);
            match fault {
                Some(kind) if opened.id != CPU => Err(Problem::new(kind).detail("CUDA_ERROR")),
                _ => Ok(()),
            }
        });
        (ran, done.is_ok(), ear.0)
    }

    const CPU: DeviceChoice = DeviceChoice::Cpu;
    const CARD: DeviceChoice = DeviceChoice::Cuda(0);

    fn devices(wanted: DeviceChoice) -> Devices {
        let mut devices = Devices { open: pretend, ..Devices::default() };
        devices.choose(wanted);
        devices
    }

    #[test]
    fn a_job_that_a_card_drops_is_done_by_the_processor() {
        let mut devices = devices(CARD);
        assert_eq!(job(&mut devices, None), (vec![CARD], true, vec![]));
        // Another job may fit.
        for kind in [ProblemKind::OutOfMemory, ProblemKind::NotANumber] {
            let (ran, done, said) = job(&mut devices, Some(kind));
            assert_eq!((ran, done, said.len()), (vec![CARD, CPU], true, 1));
            let full = kind == ProblemKind::OutOfMemory;
            assert_eq!(said[0].kind, if full { ProblemKind::DeviceFull } else { ProblemKind::DeviceFailed });
            assert_eq!((said[0].arg("device"), said[0].severity), (Some("某显卡"), Severity::Warning));
        }
        // A card that is lost stays so, until another one is wanted.
        let (ran, done, said) = job(&mut devices, Some(ProblemKind::Internal));
        assert_eq!((ran, done, said[0].detail.as_deref()), (vec![CARD, CPU], true, Some("CUDA_ERROR")));
        devices.choose(CARD);
        assert_eq!(job(&mut devices, None), (vec![CPU], true, vec![]));
        devices.choose(CPU);
        devices.choose(CARD);
        assert_eq!(job(&mut devices, None), (vec![CARD], true, vec![]));
    }

    #[test]
    fn what_is_not_the_cards_fault_stays() {
        let mut on_card = devices(CARD);
        for kind in [ProblemKind::Cancelled, ProblemKind::ModelMissing, ProblemKind::WeightsMismatch] {
            assert_eq!(job(&mut on_card, Some(kind)), (vec![CARD], false, vec![]));
        }
        let (mut on_processor, mut ear) = (devices(CPU), Ear::default());
        let failed: Result<(), _> = on_processor.run(&mut ear, &mut |_, _| Err(Problem::new(ProblemKind::OutOfMemory)));
        assert_eq!((failed.unwrap_err().kind, ear.0.len()), (ProblemKind::OutOfMemory, 0));
    }

    #[test]
    fn one_that_is_not_there_is_told_once() {
        let mut devices = devices(DeviceChoice::Cuda(1));
        let (ran, done, said) = job(&mut devices, None);
        assert_eq!((ran, done, said[0].kind), (vec![CPU], true, ProblemKind::DeviceMissing));
        assert_eq!(job(&mut devices, None), (vec![CPU], true, vec![]));
    }

    #[test]
    fn the_processor_is_always_there_and_works() {
        let list = list();
        assert_eq!(list[0].id, CPU);
        assert!(!list[0].name.is_empty() && list.iter().all(|device| device.id != DeviceChoice::Auto));
        if cfg!(target_os = "linux") {
            let memory = list[0].memory.unwrap();
            assert!(0 < memory.free && memory.free <= memory.total);
        }
        try_out(&open(CPU).unwrap().device).unwrap();
        try_out(&open(DeviceChoice::Auto).unwrap().device).unwrap();
        // No machine has so many.
        assert_eq!(open(DeviceChoice::Cuda(1000)).unwrap_err().kind, ProblemKind::DeviceMissing);
    }
}
