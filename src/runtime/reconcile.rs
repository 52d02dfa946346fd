//! What becomes of an effect whose process died before it ended. By its kind:
//!
//! | effect | |
//! |---|---|
//! | a turn of an agent | is asked for again, and counted again |
//! | an application, or taking one back | is compared by hash, and finished or undone ([`super::land`]) |
//! | proving, testing, sealing, looking | is done again: it happens in the shadow |
//! | a wait | begins anew |
//! | a tool that may be called twice | is called again |
//! | any other tool | its outcome is unknown, and its caller is told so |
//!
//! It performs nothing.

use crate::mission::{Act, Outcome};
use crate::tools;

/// What is said of a call that may have done its work, or half of it.
const UNKNOWN: &str = "unknown outcome: the program was stopped while this call was under way; it may have done all of its \
     work, some of it, or none. It was not repeated. Find out how things stand before you call it again.";

/// The outcome of an effect that must not be begun again; `None` where it may.
pub(super) fn lost(act: &Act) -> Option<Outcome> {
    match act {
        Act::Tool { call, .. } if !tools::may_be_repeated(&call.name) => {
            Some(Outcome::Called { content: UNKNOWN.to_owned(), is_error: true })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mission::conversation::ToolCall;

    #[test]
    fn only_a_call_that_may_have_changed_something_is_lost() {
        let call = |name: &str| {
            let call =
                ToolCall { id: "1".into(), name: name.into(), arguments: Default::default() };
            lost(&Act::Tool { session: 1, index: 0, call })
        };
        assert_eq!(call("read"), None);
        assert!(matches!(call("deploy"), Some(Outcome::Called { is_error: true, .. })));
        assert_eq!(lost(&Act::Apply { receipt: 1 }), None);
        assert_eq!(lost(&Act::Seal), None);
    }
}
