//! Addresses: their scheme and host, as far as they are known before anything runs.

use crate::domain::template::Template;
use crate::pipeline::diagnostic::quoted;
use crate::pipeline::reader::Cx;
use crate::pipeline::yaml::Node;

impl Cx<'_> {
    /// Reads an address, whose scheme is checked as far as it is known without running.
    pub(crate) fn url(&mut self, node: &Node, schemes: &[&'static str]) -> Template {
        let template = self.filled_template(node);
        // A text with very many references is no address; filling it in could take long.
        let plain = &self.names.plain_vars;
        let lookup = |name: &str| plain.get(name).cloned();
        let rendered =
            if template.references().count() > 20 { None } else { template.render(&lookup).ok() };
        let Some(text) = node.as_text().filter(|text| !text.trim().is_empty()) else {
            if node.as_text().is_none() {
                self.wrong_type(node, "an address");
            }
            return template;
        };
        if template.source().is_empty() {
            return template;
        }
        match rendered {
            Some(url) => self.check_url(node, &url, schemes),
            None => {
                let scheme = text.split_once("://").map(|(scheme, _)| scheme);
                if let Some(scheme) = scheme.filter(|scheme| !scheme.contains("${")) {
                    self.check_scheme(node, scheme, schemes);
                } else if text.starts_with('/') {
                    self.relative_url(node, schemes);
                }
            }
        }
        template
    }

    fn check_url(&mut self, node: &Node, url: &str, schemes: &[&'static str]) {
        let parsed = match url::Url::parse(url) {
            Ok(parsed) => parsed,
            Err(url::ParseError::RelativeUrlWithoutBase) => {
                self.relative_url(node, schemes);
                return;
            }
            Err(fault) => {
                self.error(node.span, format!("{} is not an address: {fault}", quoted(url)));
                return;
            }
        };
        if self.check_scheme(node, parsed.scheme(), schemes) && !parsed.has_host() {
            self.error(node.span, format!("{} names no host", quoted(url)));
        }
    }

    fn relative_url(&mut self, node: &Node, schemes: &[&'static str]) {
        let scheme = schemes.first().copied().unwrap_or("https");
        self.error(node.span, "the address has no scheme").help(format!(
            "write `{scheme}://HOST/…`, or begin with a variable as in `${{base_url}}/…`"
        ));
    }

    fn check_scheme(&mut self, node: &Node, scheme: &str, schemes: &[&'static str]) -> bool {
        let scheme = scheme.to_ascii_lowercase();
        if schemes.contains(&scheme.as_str()) {
            return true;
        }
        let allowed: Vec<String> = schemes.iter().map(|s| format!("`{s}://`")).collect();
        self.error(node.span, format!("the scheme {} does not fit here", quoted(&scheme)))
            .help(format!("allowed: {}", allowed.join(", ")));
        false
    }
}
