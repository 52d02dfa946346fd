//! The four tiers, and what each may come to.

/// A tier of what a session knows, from what changes least to what changes most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// The instructions of the role.
    System,
    /// What the project says of itself, and what missions noted for later ones.
    Project,
    /// The stable core of the mission, and what its sessions noted for each other.
    Mission,
    /// The conversation about the task, after it was cut.
    Task,
}

impl Tier {
    /// All tiers, in the order in which they stand in a request.
    pub const ALL: [Tier; 4] = [Tier::System, Tier::Project, Tier::Mission, Tier::Task];

    /// The most tokens that it may come to. The stable core is never cut: where it is larger than its tier, it stands
    /// there whole and nothing else does.
    pub const fn budget(self) -> usize {
        match self {
            Tier::System => 2_000,
            Tier::Project => 5_000,
            Tier::Mission => 10_000,
            Tier::Task => 20_000,
        }
    }
}
