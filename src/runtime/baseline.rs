//! The tests of the project, and what was wrong with it before a mission: asked of the gate, kept by the mission as words.

use super::perform::Performer;
use super::settings::TestsWhen;
use crate::gate::{Baseline, StageVerdict};
use crate::mission::Mission;
use crate::mission::event::TestVerdict;

/// What a mission remembers of the tree before it; of a tree of which nothing could be found out, nothing is excused.
pub(super) fn of(m: &Mission) -> Baseline {
    let read = m.baseline().map(serde_json::from_str).unwrap_or(Ok(Baseline::default()));
    read.unwrap_or_else(|error| {
        tracing::warn!(%error, "the baseline cannot be read");
        Baseline::default()
    })
}

impl Performer {
    pub(super) async fn baseline(&self) -> String {
        let found = self.gate.baseline(&self.open_texts()).await;
        let text = found.map_err(|error| error.to_string()).and_then(|baseline| {
            serde_json::to_string(&baseline).map_err(|error| error.to_string())
        });
        text.unwrap_or_else(|error| {
            tracing::warn!(error, "what stood before the mission is not known");
            String::new()
        })
    }

    pub(super) async fn test(&self, baseline: &Baseline) -> TestVerdict {
        if self.tests == TestsWhen::AtTheSeal {
            let reason = "the configuration leaves them to the seal".to_owned();
            return TestVerdict::Unverified { reason };
        }
        let stage = match self.gate.tests(&self.open_texts(), baseline).await {
            Ok(stage) => stage,
            Err(error) => return TestVerdict::Unverified { reason: error.to_string() },
        };
        match stage.verdict {
            StageVerdict::Passed | StageVerdict::NotApplicable => {
                TestVerdict::Passed { summary: stage.detail }
            }
            StageVerdict::Refused => TestVerdict::Failed { report: stage.detail },
            StageVerdict::Unverified => TestVerdict::Unverified { reason: stage.detail },
        }
    }
}
