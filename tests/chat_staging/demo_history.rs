//! The history of the demo: each version of `service.yaml` is read by the service and shows what its commit did.

use crate::client::{ALICE, BYPASS, Heard, KEY, Service};
use crate::service::Config;
use std::collections::HashSet;
use std::path::Path;

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/chat-staging/history")
}

async fn version(file: &str) -> Service {
    let text = std::fs::read_to_string(folder().join(file)).unwrap();
    let config: Config = serde_yaml::from_str(&text).unwrap();
    Service::start(Config { jwt_key: KEY.into(), bypass_key: BYPASS.into(), ..config }).await
}

async fn statuses(service: &Service) -> [u16; 2] {
    let servers = service.get("/api/mcp/servers").await.status;
    let body = serde_json::json!({ "type": "triage", "message": "hello" });
    [servers, service.post("/api/agents/execute", body).await.status]
}

#[tokio::test]
async fn good_and_fixed_are_whole() {
    for file in ["1-good.yaml", "5-fixed.yaml"] {
        let service = version(file).await;
        assert_eq!(statuses(&service).await, [200, 200], "{file}");
        service.welcomed(ALICE).await.close().await;
    }
}

#[tokio::test]
async fn the_second_breaks_auth_and_two_paths() {
    let service = version("2-auth-broken.yaml").await;
    assert_eq!(statuses(&service).await, [404, 404]);
    assert_eq!(service.socket_of(ALICE).await.until_end().await.1, Heard::Closed(1008));
}

#[tokio::test]
async fn the_third_is_half_fixed() {
    let service = version("3-half-fixed.yaml").await;
    assert_eq!(statuses(&service).await, [200, 404]);
    assert_eq!(service.socket_of(ALICE).await.until_end().await.1, Heard::Closed(1011));
}

#[tokio::test]
async fn the_fourth_lies_about_its_revision() {
    let service = version("4-lying-deploy.yaml").await;
    let told = service.get("/version").await.json()["revision"].clone();
    assert_ne!(told, Config::default().revision.as_str());
}

#[test]
fn the_index_names_every_version_once_and_in_order() {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Index {
        commits: Vec<Commit>,
    }
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Commit {
        subject: String,
        author: String,
        #[serde(default)]
        service: Option<String>,
        touches: Vec<String>,
        #[serde(default)]
        cycle: bool,
    }
    let text = std::fs::read_to_string(folder().join("index.yaml")).unwrap();
    let index: Index = serde_yaml::from_str(&text).unwrap();
    let named: Vec<String> = index.commits.iter().filter_map(|c| c.service.clone()).collect();
    let mut present: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "index.yaml")
        .collect();
    present.sort();
    assert_eq!(named, present);
    assert_eq!(index.commits.iter().filter(|commit| commit.cycle).count(), 5);
    let subjects: HashSet<&str> = index.commits.iter().map(|c| c.subject.as_str()).collect();
    assert_eq!(subjects.len(), index.commits.len());
    for commit in &index.commits {
        assert!(commit.author.contains('<') && !commit.touches.is_empty(), "{}", commit.subject);
        assert!(commit.touches.iter().all(|path| !path.starts_with('/') && !path.contains("..")));
    }
}
