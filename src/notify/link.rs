//! Where people read the whole of what they are told: the daemon's pages, at the address that they know. Pure.

use url::Url;

use crate::domain::names::PipelineName;

/// The address under which people reach the pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pages(Url);

impl Pages {
    /// Pages at that address; a path in it is kept.
    pub fn at(url: Url) -> Self {
        Self(url)
    }

    /// The page of a cycle, else of its pipeline.
    pub(super) fn page(&self, pipeline: &PipelineName, cycle: Option<u32>) -> String {
        let root = self.0.as_str().trim_end_matches('/');
        // Names of pipelines are letters, digits and dashes.
        match cycle {
            Some(cycle) => format!("{root}/pipelines/{pipeline}/cycles/{cycle}"),
            None => format!("{root}/pipelines/{pipeline}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_page_is_under_the_address_that_people_know() {
        let chat = PipelineName::parse("chat").unwrap();
        let at = |url: &str, cycle| Pages::at(url.parse().unwrap()).page(&chat, cycle);
        let root = "https://andon.example.com";
        assert_eq!(at(root, Some(7)), "https://andon.example.com/pipelines/chat/cycles/7");
        assert_eq!(
            at("https://ci.example.com/andon/", None),
            "https://ci.example.com/andon/pipelines/chat"
        );
    }
}
