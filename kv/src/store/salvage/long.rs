//! Long values: put together of their extents.
//!
//! Invariant: a part that may be lost is not taken for one that was never written, which would be zeros.

use super::source::Source;
use super::tree::{Piece, Trees};
use super::version::{Held, Version};
use super::{Loss, Lost, Salvage, Salvaged, SalvagedValue};
use crate::clock::Timestamp;
use crate::device::BlockDevice;
use crate::error::{Corruption, Error, Fault, Part};
use crate::format::index_key;
use crate::format::object::Object;
use crate::format::superblock::Superblock;
use crate::log::fetch;
use crate::store::names::Name;
use alloc::vec::Vec;

impl<D: BlockDevice> Salvage<D> {
    /// The value, whole, or what of it is damaged.
    pub(super) fn long_value(
        &self,
        name: Name,
        object: Object,
        (last_modified, is_doubted): (Timestamp, bool),
    ) -> Result<Salvaged, Error> {
        Ok(match self.assemble(object)? {
            Ok(bytes) => Salvaged::Value(SalvagedValue { name, bytes, last_modified, is_doubted }),
            Err(corruption) => Salvaged::Loss(Loss { corruption, lost: Lost::Value(name) }),
        })
    }

    fn assemble(&self, object: Object) -> Result<Result<Vec<u8>, Corruption>, Error> {
        let layout = &self.superblock.layout;
        let misfit = |at| Corruption { part: Part::Record, at, fault: Fault::Field("extent") };
        let mut bytes = Vec::new();
        let len = usize::try_from(object.size).unwrap_or(usize::MAX);
        if object.size > layout.value_len_max() || bytes.try_reserve_exact(len).is_err() {
            return Ok(Err(misfit(0)));
        }
        bytes.resize(len, 0);
        let extents = match self.extents(object)? {
            Ok(extents) => extents,
            Err(corruption) => return Ok(Err(corruption)),
        };
        for (key, Version { sequence, held, .. }) in extents {
            let Held::Records(places) = held else { continue };
            let mut damage = misfit(0);
            let part = places.into_iter().find_map(|pointer| {
                match fetch(&self.disk, layout, pointer, &key, sequence) {
                    Ok(fetched) => Some(fetched.value),
                    Err(error) => {
                        damage = super::corruption_of(error, Part::Record, pointer.at)
                            .unwrap_or_else(|_| misfit(pointer.at));
                        None
                    }
                }
            });
            let Some(part) = part else { return Ok(Err(damage)) };
            let (_, offset) = index_key::object_of(&key).unwrap_or_default();
            let place = usize::try_from(offset).ok().and_then(|start| {
                bytes.get_mut(start..)?.get_mut(..object.chunk_len(layout, offset))
            });
            match place.filter(|place| place.len() == part.len()) {
                Some(place) => place.copy_from_slice(&part),
                None => return Ok(Err(misfit(0))),
            }
        }
        Ok(Ok(bytes))
    }

    /// The extents that count, in order; or what hides some of them.
    #[expect(clippy::type_complexity, reason = "as others here, but with what is damaged")]
    fn extents(
        &self,
        object: Object,
    ) -> Result<Result<Vec<(Vec<u8>, Version)>, Corruption>, Error> {
        let (from, to) = index_key::extents_of(object.id);
        let Superblock { layout, birth, .. } = self.superblock;
        let source = Source { disk: &self.disk, layout, birth };
        let mut trees = Trees::new(&self.superblock);
        let (span, mut extents) = ((from, Some(to)), Vec::new());
        while let Some(piece) = trees.next(&source, Some(&span))? {
            if let Piece::Hole { span, corruption } = &piece
                && !self.holes.iter().any(|hole| hole.span == *span && hole.is_bridged)
            {
                return Ok(Err(*corruption));
            }
            let found = self.versions_of(&piece).into_iter().rev();
            let within =
                |key: &Vec<u8>| *key >= span.0 && span.1.as_ref().is_none_or(|to| key < to);
            for (key, version, is_doubted) in found.filter(|(key, ..)| within(key)) {
                if is_doubted {
                    let (part, fault) = (Part::Record, Fault::WrongRecord);
                    return Ok(Err(Corruption { part, at: 0, fault }));
                }
                extents.push((key, version));
            }
        }
        Ok(Ok(extents))
    }
}
