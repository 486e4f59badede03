//! What a scene is.

use crate::place::{NotHere, Place};

/// Plays a scene while everything is captured.
pub(crate) type Play = fn(&Place) -> Result<(), NotHere>;

/// Programs that talk.
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    /// Programs, and the packages that they come in.
    pub(crate) needs: &'static [(&'static str, &'static str)],
    /// Names of processes to which packets have to be ascribed.
    pub(crate) processes: &'static [&'static str],
    /// What tshark is told besides; `FOLDER` is the scene's.
    pub(crate) told: &'static [&'static str],
    /// A schema of protobuf that we are told.
    pub(crate) schema: &'static str,
    pub(crate) play: Play,
}

impl Scene {
    pub(crate) fn new(
        name: &'static str,
        needs: &'static [(&'static str, &'static str)],
        play: Play,
    ) -> Scene {
        Scene { name, needs, processes: &[], told: &[], schema: "", play }
    }

    /// Packets have to be ascribed to these processes, which live long enough to be found on a busy machine.
    pub(crate) fn by(self, processes: &'static [&'static str]) -> Scene {
        Scene { processes, ..self }
    }

    /// tshark has to be told more.
    pub(crate) fn told(self, told: &'static [&'static str]) -> Scene {
        Scene { told, ..self }
    }

    /// There is a schema.
    pub(crate) fn schema(self, schema: &'static str) -> Scene {
        Scene { schema, ..self }
    }
}
