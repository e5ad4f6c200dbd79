//! The devices that can paint, and the one that the artist wants.

use super::clerk::Errand;
use crate::recipe::{DeviceChoice, DeviceInfo, DeviceLister};

/// See the module.
#[derive(Debug)]
pub struct Devices {
    pub chosen: DeviceChoice,
    /// The processor first; empty until the clerk has looked.
    list: Vec<DeviceInfo>,
    lister: Option<DeviceLister>,
    /// The list is to be made anew: memory comes and goes.
    wanted: bool,
}

impl Devices {
    pub fn new(chosen: DeviceChoice) -> Self {
        Self { chosen, list: Vec::new(), lister: None, wanted: false }
    }

    /// From now on devices are looked for by `lister`.
    pub fn ask(&mut self, lister: DeviceLister) {
        (self.lister, self.wanted) = (Some(lister), true);
    }

    /// Memory is to be looked at again.
    pub fn refresh(&mut self) {
        self.wanted = true;
    }

    /// What the clerk is to do about it.
    pub(super) fn errand(&mut self) -> Option<Errand> {
        let lister = self.lister.as_ref().filter(|_| self.wanted)?.clone();
        self.wanted = false;
        Some(Errand::ListDevices(lister))
    }

    pub(super) fn note(&mut self, list: Vec<DeviceInfo>) {
        self.list = list;
    }

    pub fn list(&self) -> &[DeviceInfo] {
        &self.list
    }

    /// What can be chosen; nothing where there is no choice.
    pub fn choices(&self) -> Vec<DeviceChoice> {
        if self.list.len() < 2 {
            return Vec::new();
        }
        let mut choices = vec![DeviceChoice::Auto];
        choices.extend(self.list.iter().map(|device| device.id));
        // One that is gone stands in the list as long as it is chosen, so that one sees what is chosen.
        if !choices.contains(&self.chosen) {
            choices.push(self.chosen);
        }
        choices
    }

    pub fn info(&self, choice: DeviceChoice) -> Option<&DeviceInfo> {
        self.list.iter().find(|device| device.id == choice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_choice_where_there_are_two() {
        let device = |id| DeviceInfo { id, name: id.to_string(), memory: None };
        let mut devices = Devices::new(DeviceChoice::Cuda(1));
        assert!(devices.errand().is_none(), "nobody to ask");
        devices.ask(DeviceLister::new(move || vec![device(DeviceChoice::Cpu)]));
        let Some(Errand::ListDevices(lister)) = devices.errand() else { panic!() };
        assert!(devices.errand().is_none(), "once is enough");
        devices.note(lister.list());
        assert_eq!((devices.choices(), devices.list().len()), (vec![], 1));
        devices.note([DeviceChoice::Cpu, DeviceChoice::Cuda(0)].map(device).to_vec());
        let [auto, cpu, first] = [DeviceChoice::Auto, DeviceChoice::Cpu, DeviceChoice::Cuda(0)];
        assert_eq!(devices.choices(), [auto, cpu, first, DeviceChoice::Cuda(1)]);
        assert_eq!((devices.info(first).unwrap().name.as_str(), devices.info(auto)), ("cuda:0", None));
        devices.chosen = cpu;
        assert_eq!(devices.choices(), [auto, cpu, first]);
        devices.refresh();
        assert!(devices.errand().is_some());
    }
}
