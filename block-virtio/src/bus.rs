//! How the device is reached: PCI or MMIO, with a notification that is one store on either.
//!
//! `PciTransport` makes three accesses of a notification, and each may cost an exit to the host.

use crate::fault::Fault;
use crate::hal::Hal;
use core::marker::PhantomData;
use core::ptr::NonNull;
use nerite::DeviceError;
use safe_mmio::UniqueMmioPointer;
use safe_mmio::fields::{ReadPureWrite, WriteOnly};
use virtio_drivers::transport::mmio::MmioTransport;
use virtio_drivers::transport::pci::bus::{Command, ConfigurationAccess, DeviceFunction, PciRoot};
use virtio_drivers::transport::pci::{
    PciTransport, VIRTIO_PCI_CAP_COMMON_CFG, VIRTIO_PCI_CAP_NOTIFY_CFG, virtio_device_type,
};
use virtio_drivers::transport::{
    DeviceStatus, DeviceType, InterruptStatus, SomeTransport, Transport,
};
use virtio_drivers::{BufferDirection, PhysAddr, Result};
use zerocopy::{FromBytes, Immutable, IntoBytes};

type Doorbell = UniqueMmioPointer<'static, WriteOnly<u16>>;

/// A device on either bus.
#[derive(Debug)]
pub struct Bus {
    transport: SomeTransport<'static>,
    /// Where a PCI device is notified of its first queue.
    doorbell: Option<Doorbell>,
}

impl From<MmioTransport<'static>> for Bus {
    fn from(transport: MmioTransport<'static>) -> Self {
        Self { transport: transport.into(), doorbell: None }
    }
}

impl Bus {
    /// Claims the first virtio disk on PCI, and tells where it was.
    ///
    /// # Errors
    /// [`nerite::DeviceErrorKind::Unsupported`] if it is not made as virtio 1.0 demands.
    pub fn claim<H: Hal>() -> core::result::Result<Option<(Self, DeviceFunction)>, DeviceError> {
        let is_disk = |info: &_| virtio_device_type(info) == Some(DeviceType::Block);
        let Some((configuration, function)) = H::claim(&is_disk) else {
            return Ok(None);
        };
        let bad = || Fault::Setup("the PCI function is no virtio disk as it should be").at(None);
        let common = Place::find(&configuration, function, VIRTIO_PCI_CAP_COMMON_CFG);
        let notify = Place::find(&configuration, function, VIRTIO_PCI_CAP_NOTIFY_CFG);
        let (common, notify) = common.zip(notify).ok_or_else(bad)?;
        let mut root = PciRoot::new(configuration);
        let (_, command) = root.get_status_command(function);
        root.set_command(function, command | Command::MEMORY_SPACE | Command::BUS_MASTER);
        let doorbell = doorbell::<H, _>(&mut root, function, common, notify).ok_or_else(bad)?;
        let transport =
            PciTransport::new::<Registers<H>, _>(&mut root, function).map_err(|_| bad())?;
        Ok(Some((Self { transport: transport.into(), doorbell: Some(doorbell) }, function)))
    }
}

/// Registers in a BAR, as a capability names them (4.1.4).
#[derive(Clone, Copy)]
struct Place {
    bar: u8,
    offset: u32,
    len: u32,
    /// Only where notifications go: how far apart the queues' registers are.
    multiplier: u32,
}

const CAPABILITIES: u8 = 0x34;
const VENDOR: u8 = 0x09;

impl Place {
    /// The first capability of this kind.
    fn find(
        configuration: &impl ConfigurationAccess,
        at: DeviceFunction,
        kind: u8,
    ) -> Option<Self> {
        let read = |register| configuration.read_word(at, register);
        let [mut capability, ..] = read(CAPABILITIES).to_le_bytes();
        // A crafted list may be a circle; an honest one has at most 48 entries.
        for _ in 0..48 {
            let [id, next, _, its_kind] = read(capability & 0xfc).to_le_bytes();
            // What is meant has 16 bytes at least, behind the header.
            if id == VENDOR && its_kind == kind && (0x40..=0xf0).contains(&capability) {
                let [bar, ..] = read(capability + 4).to_le_bytes();
                return Some(Self {
                    bar,
                    offset: read(capability + 8),
                    len: read(capability + 12),
                    multiplier: read(capability.saturating_add(16)),
                });
            }
            capability = next & 0xfc;
        }
        None
    }

    /// Maps the register of two bytes at `offset`.
    fn register<H: Hal, C: ConfigurationAccess>(
        self,
        root: &mut PciRoot<C>,
        function: DeviceFunction,
        offset: u64,
    ) -> Option<NonNull<u16>> {
        if self.bar > 5 || !offset.is_multiple_of(2) || offset + 2 > u64::from(self.len) {
            return None;
        }
        let (bar, size) = root.bar_info(function, self.bar).ok()??.memory_address_size()?;
        let offset = u64::from(self.offset) + offset;
        let address = bar.checked_add(offset)?;
        let fits = bar != 0 && offset + 2 <= size && address.is_multiple_of(2);
        fits.then(|| H::map(address, 2).cast())
    }
}

/// Where the device is notified of its first queue: at a multiple that it tells (4.1.4.4).
fn doorbell<H: Hal, C: ConfigurationAccess>(
    root: &mut PciRoot<C>,
    function: DeviceFunction,
    common: Place,
    notify: Place,
) -> Option<Doorbell> {
    const QUEUE_SELECT: u64 = 0x16;
    const QUEUE_NOTIFY_OFF: u64 = 0x1e;
    let select = common.register::<H, C>(root, function, QUEUE_SELECT)?;
    let off = common.register::<H, C>(root, function, QUEUE_NOTIFY_OFF)?;
    // SAFETY: `Hal::map` maps registers of the claimed function for ever. They may be written and
    // read at any time (4.1.4.3), and nobody else has a pointer to them yet.
    let (mut select, off) = unsafe {
        let off: UniqueMmioPointer<'_, ReadPureWrite<u16>> = UniqueMmioPointer::new(off.cast());
        let select: UniqueMmioPointer<'_, ReadPureWrite<u16>> =
            UniqueMmioPointer::new(select.cast());
        (select, off)
    };
    select.write(0);
    let offset = u64::from(off.read()) * u64::from(notify.multiplier);
    let doorbell = notify.register::<H, C>(root, function, offset)?;
    // SAFETY: as above. `PciTransport` maps it too, but only its `notify` writes to it, which
    // `Bus` never calls.
    Some(unsafe { UniqueMmioPointer::new(doorbell.cast()) })
}

/// What `PciTransport` wants of the machine: only `mmio_phys_to_virt`.
struct Registers<H>(PhantomData<H>);

// SAFETY: `Hal::map` returns what `mmio_phys_to_virt` must; no DMA memory is ever given out.
unsafe impl<H: Hal> virtio_drivers::Hal for Registers<H> {
    fn dma_alloc(_: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        // The address 0 means that there is none.
        (0, NonNull::dangling())
    }

    unsafe fn dma_dealloc(_: PhysAddr, _: NonNull<u8>, _: usize) -> i32 {
        -1
    }

    unsafe fn mmio_phys_to_virt(address: PhysAddr, len: usize) -> NonNull<u8> {
        H::map(address, len)
    }

    unsafe fn share(_: NonNull<[u8]>, _: BufferDirection) -> PhysAddr {
        0
    }

    unsafe fn unshare(_: PhysAddr, _: NonNull<[u8]>, _: BufferDirection) {}
}

impl Transport for Bus {
    fn notify(&mut self, queue: u16) {
        match &mut self.doorbell {
            Some(doorbell) => doorbell.write(queue),
            None => self.transport.notify(queue),
        }
    }

    fn device_type(&self) -> DeviceType {
        self.transport.device_type()
    }

    fn read_device_features(&mut self) -> u64 {
        self.transport.read_device_features()
    }

    fn write_driver_features(&mut self, features: u64) {
        self.transport.write_driver_features(features);
    }

    fn max_queue_size(&mut self, queue: u16) -> u32 {
        self.transport.max_queue_size(queue)
    }

    fn get_status(&self) -> DeviceStatus {
        self.transport.get_status()
    }

    fn set_status(&mut self, status: DeviceStatus) {
        self.transport.set_status(status);
    }

    fn set_guest_page_size(&mut self, size: u32) {
        self.transport.set_guest_page_size(size);
    }

    fn requires_legacy_layout(&self) -> bool {
        self.transport.requires_legacy_layout()
    }

    fn queue_set(
        &mut self,
        queue: u16,
        size: u32,
        at: PhysAddr,
        driver: PhysAddr,
        device: PhysAddr,
    ) {
        self.transport.queue_set(queue, size, at, driver, device);
    }

    fn queue_unset(&mut self, queue: u16) {
        self.transport.queue_unset(queue);
    }

    fn queue_used(&mut self, queue: u16) -> bool {
        self.transport.queue_used(queue)
    }

    fn ack_interrupt(&mut self) -> InterruptStatus {
        self.transport.ack_interrupt()
    }

    fn read_config_generation(&self) -> u32 {
        self.transport.read_config_generation()
    }

    fn read_config_space<V: FromBytes + IntoBytes>(&self, offset: usize) -> Result<V> {
        self.transport.read_config_space(offset)
    }

    fn write_config_space<V: IntoBytes + Immutable>(
        &mut self,
        offset: usize,
        value: V,
    ) -> Result<()> {
        self.transport.write_config_space(offset, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Machine;

    const FUNCTION: DeviceFunction = DeviceFunction { bus: 0, device: 1, function: 0 };

    /// Words of configuration space: where, and what.
    struct Space(&'static [(u8, u32)]);

    impl ConfigurationAccess for Space {
        fn read_word(&self, _: DeviceFunction, at: u8) -> u32 {
            self.0.iter().find(|word| word.0 == at).map_or(0, |word| word.1)
        }

        fn write_word(&mut self, _: DeviceFunction, _: u8, _: u32) {}

        unsafe fn unsafe_clone(&self) -> Self {
            Self(self.0)
        }
    }

    fn find(words: &'static [(u8, u32)]) -> Option<Place> {
        Place::find(&Space(words), FUNCTION, VIRTIO_PCI_CAP_NOTIFY_CFG)
    }

    #[test]
    fn a_capability_is_found_behind_others() {
        let place = find(&[
            (0x34, 0x98),
            (0x98, 0x0000_7011), // MSI-X
            (0x70, 0x0110_4009), // another kind of virtio's
            (0x40, 0x0214_0009),
            (0x44, 4),
            (0x48, 0x3000),
            (0x4c, 0x1000),
            (0x50, 4),
        ])
        .unwrap();
        let found = (place.bar, place.offset, place.len, place.multiplier);
        assert_eq!(found, (4, 0x3000, 0x1000, 4));
    }

    #[test]
    fn a_crafted_list_of_capabilities_ends() {
        assert!(find(&[]).is_none());
        assert!(find(&[(0x34, 0x40), (0x40, 0x0000_4011)]).is_none(), "a circle");
        assert!(find(&[(0x34, 0xfc), (0xfc, 0x0214_0009)]).is_none(), "beyond the end");
        assert!(find(&[(0x34, 0x10), (0x10, 0x0214_0009)]).is_none(), "in the header");
    }

    #[test]
    fn a_register_lies_within_its_bar() {
        // An absent BAR, and a capability too short for the register.
        let at = |bar, len, offset| {
            let place = Place { bar, offset: 0, len, multiplier: 0 };
            place.register::<Machine, _>(&mut PciRoot::new(Space(&[])), FUNCTION, offset)
        };
        assert_eq!(at(0, 4, 0), None);
        assert_eq!(at(6, 4, 0), None);
        assert_eq!(at(0, 4, 4), None);
        assert_eq!(at(0, 4, 1), None);
    }
}
