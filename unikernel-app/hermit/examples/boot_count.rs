//! An application for Hermit, as small as one with a store can be: it counts its boots.
//!
//! `unikernel-app/hermit/README.md` tells how to build it and how to boot it.

use nerite::{Error, Key, KvRead, KvWrite, OpenOptions, Store};
use nerite_hermit::{Machine, SystemClock, random_seed};
use nerite_virtio::{Bus, VirtioBlk};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (bus, _) = Bus::claim::<Machine>()?.ok_or("there is no virtio disk")?;
    let disk = VirtioBlk::<Machine, Bus>::new(bus)?;
    let store = Store::open(disk, SystemClock, OpenOptions::new(random_seed()))?;

    let key = Key::new("/example/boots")?;
    let before: u64 = match store.get(&key) {
        Ok(text) => String::from_utf8(text)?.parse()?,
        Err(Error::NotFound(_)) => 0,
        Err(error) => return Err(error.into()),
    };
    let boots = before + 1;
    store.set(&key, boots.to_string().as_bytes())?; // durable when it returns
    println!("boots: {boots}");

    store.close()?;
    Ok(())
}
