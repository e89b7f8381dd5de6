//! The live secrets of each kind of webhook.

use std::collections::BTreeMap;

use super::signature::Forge;
use crate::domain::redact::Secret;

/// The live secrets of each kind of webhook: one, or two while one replaces the other.
#[derive(Debug, Clone, Default)]
pub struct HookSecrets {
    secrets: BTreeMap<Forge, Vec<Secret>>,
}

impl HookSecrets {
    /// Adds a secret.
    pub fn add(&mut self, forge: Forge, secret: Secret) {
        self.secrets.entry(forge).or_default().push(secret);
    }

    /// The secrets of a kind; `None` when it is not configured.
    pub(super) fn of(&self, forge: Forge) -> Option<&[Secret]> {
        self.secrets.get(&forge).map(Vec::as_slice).filter(|secrets| !secrets.is_empty())
    }
}
