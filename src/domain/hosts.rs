//! The pipeline's `hosts`: which hosts its steps and commands may talk to (SPEC section 3).

/// A list of hosts. `*.example.com` is every name below `example.com`, not itself; a rule may name a
/// port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostList(Vec<String>);

impl HostList {
    /// Only these.
    pub fn new(hosts: impl IntoIterator<Item = String>) -> Self {
        Self(hosts.into_iter().map(|host| host.trim().to_ascii_lowercase()).collect())
    }

    /// Whether one of its rules fits a host, an IPv6 address being without brackets.
    pub fn allows(&self, host: &str, port: u16) -> bool {
        let host = host.to_ascii_lowercase();
        let with_port = format!("{host}:{port}");
        let in_brackets = format!("[{host}]");
        self.0.iter().any(|rule| match rule.strip_prefix("*.") {
            Some(parent) => {
                host.strip_suffix(parent).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            None => *rule == host || *rule == with_port || *rule == in_brackets,
        })
    }

    /// The rules, for people.
    pub fn describe(&self) -> String {
        self.0.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_fits_a_name_a_port_or_what_is_below_a_name() {
        let rules = ["Staging.example.com", " *.cdn.example", "10.0.0.1:8080", "[::1]"];
        let list = HostList::new(rules.map(str::to_owned));
        for (host, port, allowed) in [
            ("staging.EXAMPLE.com", 443, true),
            ("a.b.cdn.example", 443, true),
            ("cdn.example", 443, false),
            ("evilcdn.example", 443, false),
            (".cdn.example", 443, false),
            ("staging.example.com.evil.example", 443, false),
            ("10.0.0.1", 8080, true),
            ("10.0.0.1", 80, false),
            ("::1", 80, true),
        ] {
            assert_eq!(list.allows(host, port), allowed, "{host}:{port}");
        }
    }
}
