//! Subtests: a point's children come before it or in its braces, so they wait here until it is there.
//!
//! What waits is what one top-level subtest holds; all else has gone to the sink.
//!
//! What it must not do: read lines.

use std::sync::Arc;

use super::super::case::{ReportedCase, ReportedOutcome, Sink};
use super::super::draft::{case, name, no_suite};
use super::diagnostic::Diagnostic;
use super::line::{Directive, Point};

/// A case, or the cases of a subtest.
#[derive(Debug)]
pub(super) enum Node {
    /// A leaf, whose suite is known once it is handed over.
    Case(ReportedCase),
    /// What stands under a name.
    Suite {
        /// The name.
        name: String,
        /// What stands under it, in order.
        children: Vec<Node>,
    },
}

impl Node {
    /// Whether a case of it failed.
    pub(super) fn has_failed(&self) -> bool {
        match self {
            Self::Case(case) => case.outcome == ReportedOutcome::Failed,
            Self::Suite { children, .. } => children.iter().any(Self::has_failed),
        }
    }
}

/// How the children of a point are told from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Brace {
    /// They came before it, or there are none.
    None,
    /// They follow, up to a `}`.
    Open,
    /// They follow after its diagnostics: an older writer's way, in which the point is the result.
    Late,
}

/// A point that may not be complete yet.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) point: Point,
    pub(super) children: Vec<Node>,
    pub(super) diagnostic: Diagnostic,
    pub(super) brace: Brace,
}

impl Open {
    /// What became of it: its own case, its children, or both.
    fn finish(self) -> Vec<Node> {
        let leaf = self.leaf();
        let Self { point, mut children, .. } = self;
        let failed = children.iter().any(Node::has_failed);
        if point.directive.is_some() {
            // The point is the result. A failure under it still is one, unless that was expected.
            children.retain(|child| child.has_failed() && point.directive != Some(Directive::Todo));
            let mut nodes = vec![Node::Case(leaf)];
            if !children.is_empty() {
                nodes.push(Node::Suite { name: point.name, children });
            }
            return nodes;
        }
        if children.is_empty() {
            return vec![Node::Case(leaf)];
        }
        let mut nodes = vec![Node::Suite { name: point.name, children }];
        if !point.ok && !failed {
            nodes.push(Node::Case(leaf));
        }
        nodes
    }

    fn leaf(&self) -> ReportedCase {
        let Point { ok, directive, .. } = self.point;
        let outcome = match (directive, ok) {
            (Some(Directive::Skip | Directive::Todo), _) => ReportedOutcome::Skipped,
            (None, true) => ReportedOutcome::Passed,
            (None, false) => ReportedOutcome::Failed,
        };
        let mut case = case(no_suite(), &self.point.name, outcome);
        case.expected_failure = directive == Some(Directive::Todo) && !ok;
        case.duration = self.point.duration.or(self.diagnostic.duration);
        if outcome == ReportedOutcome::Failed {
            case.problem = Some(Box::new(self.diagnostic.problem("")));
            case.problems = 1;
        }
        case
    }
}

/// One level of indent.
#[derive(Debug, Default)]
pub(super) struct Level {
    /// What a `# Subtest: …` comment called it.
    pub(super) name: Option<String>,
    /// Its last point.
    pub(super) open: Option<Open>,
    /// How many points its plan says.
    pub(super) plan: Option<u64>,
    /// How many it has.
    pub(super) points: u64,
    nodes: Vec<Node>,
}

impl Level {
    /// Whether nothing was seen of it yet.
    pub(super) fn is_untouched(&self) -> bool {
        self.open.is_none() && self.nodes.is_empty() && self.name.is_none()
    }

    /// Takes what became of its last point.
    pub(super) fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.nodes.extend(open.finish());
        }
    }

    /// What is complete of it.
    pub(super) fn take(&mut self) -> Vec<Node> {
        std::mem::take(&mut self.nodes)
    }

    /// Whether its last point waits for children in braces.
    pub(super) fn is_braced(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.brace != Brace::None)
    }

    /// Takes what a deeper level left without a parent of its own: it belongs into the open braces, or
    /// stands after the last point under the name that is known.
    pub(super) fn adopt(&mut self, name: Option<String>, orphans: Vec<Node>) {
        if let Some(open) = self.open.as_mut()
            && open.brace != Brace::None
        {
            open.children.extend(orphans);
            return;
        }
        self.close();
        match name {
            _ if orphans.is_empty() => {}
            Some(name) => self.nodes.push(Node::Suite { name, children: orphans }),
            None => self.nodes.extend(orphans),
        }
    }
}

/// Hands the cases over, each with the suites around it, and says how many they were.
pub(super) fn emit(nodes: Vec<Node>, sink: &mut dyn Sink) -> u64 {
    emit_under(nodes, &mut Vec::new(), sink)
}

fn emit_under(nodes: Vec<Node>, path: &mut Vec<Box<str>>, sink: &mut dyn Sink) -> u64 {
    let mut suite: Option<Arc<[Box<str>]>> = None;
    let mut count = 0;
    for node in nodes {
        match node {
            Node::Case(mut case) => {
                let suite = suite.get_or_insert_with(|| Arc::from(path.as_slice()));
                case.suite = Arc::clone(suite);
                sink.case(case);
                count += 1;
            }
            Node::Suite { name: called, children } => {
                path.push(name(&called).into_boxed_str());
                count += emit_under(children, path, sink);
                path.pop();
            }
        }
    }
    count
}
