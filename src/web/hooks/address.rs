//! The address of a repository in a form in which `https`, `ssh` and the page of one repository are
//! equal. Good enough for a hint, and for nothing else: what is fetched is what the pipeline says.

use url::Url;

/// A longer text is no address.
const MAX_LENGTH: usize = 2048;

/// Where a repository is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Host {
        host: String,
        port: Port,
        path: String,
    },
    /// A folder of this machine.
    Folder(String),
    /// Not an address.
    Nowhere,
}

/// The port of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Port {
    /// Of ssh: it says nothing about the port of the pages.
    Any,
    /// Of http and https; `None` is the usual one.
    Of(Option<u16>),
}

impl Address {
    /// Reads an address; a text that is none is equal to nothing.
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        let place = match text.split_once("://") {
            _ if text.is_empty() || text.len() > MAX_LENGTH => Place::Nowhere,
            Some(_) => of_url(text).unwrap_or(Place::Nowhere),
            None => of_login(text).unwrap_or_else(|| folder(text)),
        };
        Self { place }
    }

    /// Whether both are addresses of one repository.
    pub fn is_same(&self, other: &Self) -> bool {
        match (&self.place, &other.place) {
            (
                Place::Host { host, port, path },
                Place::Host { host: other_host, port: other_port, path: other_path },
            ) => host == other_host && path == other_path && port.may_be(*other_port),
            (Place::Folder(path), Place::Folder(other)) => path == other,
            _ => false,
        }
    }
}

impl Port {
    fn may_be(self, other: Self) -> bool {
        match (self, other) {
            (Self::Of(port), Self::Of(other)) => port == other,
            (Self::Any, _) | (_, Self::Any) => true,
        }
    }
}

fn of_url(text: &str) -> Option<Place> {
    let url = Url::parse(text).ok()?;
    let port = match url.scheme() {
        "http" | "https" => Port::Of(url.port()),
        "ssh" | "git" | "git+ssh" | "ssh+git" => Port::Any,
        "file" => return Some(folder(url.to_file_path().ok()?.to_str()?)),
        _ => return None,
    };
    let host = url.host_str()?.to_ascii_lowercase();
    Some(Place::Host { host, port, path: repository_path(url.path()) })
}

/// `user@host:path`, as git reads it: a colon before the first slash.
fn of_login(text: &str) -> Option<Place> {
    let (login, path) = text.split_once(':')?;
    if login.contains('/') || login.is_empty() {
        return None;
    }
    let host = login.rsplit_once('@').map_or(login, |(_, host)| host).to_ascii_lowercase();
    Some(Place::Host { host, port: Port::Any, path: repository_path(path) })
}

fn folder(path: &str) -> Place {
    Place::Folder(path.trim_end_matches('/').to_owned())
}

/// What names the repository on its host. Forges do not tell small from capital letters.
fn repository_path(path: &str) -> String {
    let path = path.trim_matches('/').to_ascii_lowercase();
    let path = path.strip_suffix(".git").unwrap_or(&path);
    // Bitbucket Data Center: `scm/KEY/NAME` to clone, `projects/KEY/repos/NAME/browse` to look at.
    let path = path.strip_prefix("scm/").unwrap_or(path);
    match path.split('/').collect::<Vec<_>>().as_slice() {
        ["projects", key, "repos", name, ..] => format!("{key}/{name}"),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(one: &str, other: &str) -> bool {
        let (one, other) = (Address::parse(one), Address::parse(other));
        assert_eq!(one.is_same(&other), other.is_same(&one));
        one.is_same(&other)
    }

    #[test]
    fn the_addresses_of_one_repository_are_equal() {
        for (one, other) in [
            ("https://git.example.com/acme/chat.git", "https://Git.Example.com/Acme/Chat"),
            ("https://git.example.com/acme/chat", "git@git.example.com:acme/chat.git"),
            ("https://git.example.com/acme/chat/", "ssh://git@git.example.com:2222/acme/chat.git"),
            ("http://git.example.com/acme/chat", "https://git.example.com/acme/chat"),
            ("http://127.0.0.1:3000/a/b.git", "ssh://git@127.0.0.1:2222/a/b.git"),
            (
                "https://bb.example.com/scm/key/name.git",
                "https://bb.example.com/projects/KEY/repos/name/browse",
            ),
            (
                "ssh://git@bb.example.com:7999/key/name.git",
                "https://bb.example.com/projects/KEY/repos/name",
            ),
            ("/srv/git/chat.git", "file:///srv/git/chat.git/"),
        ] {
            assert!(same(one, other), "{one} {other}");
        }
    }

    #[test]
    fn other_repositories_are_not() {
        for (one, other) in [
            ("https://git.example.com/acme/chat", "https://git.example.com/acme/chat2"),
            ("https://git.example.com/acme/chat", "https://evil.example/acme/chat"),
            ("https://git.example.com/acme/chat", "https://git.example.com.evil.example/acme/chat"),
            ("http://127.0.0.1:3000/a/b", "http://127.0.0.1:3001/a/b"),
            ("/srv/git/chat", "/srv/git/chat.git"),
            ("/srv/git/chat", "https://git.example.com/srv/git/chat"),
            ("", ""),
            ("javascript:alert(1)//", "ftp://git.example.com/acme/chat"),
            ("https://", "https://"),
        ] {
            assert!(!same(one, other), "{one} {other}");
        }
    }
}
