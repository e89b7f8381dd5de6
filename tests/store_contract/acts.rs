//! Who did what.

use andon::store::{Act, ActKind};

use crate::Backend;
use crate::sample::{at, pipeline};

pub async fn who_did_what_is_remembered_up_to_a_number<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let act = |second: i64, kind| Act {
        at: at(second),
        person: format!("person {second}"),
        kind,
        pipeline: (kind != ActKind::LogIn).then(|| pipeline("chat")),
        subject: (kind == ActKind::Cancel).then(|| "cycle 7".to_owned()),
        detail: "as asked".to_owned(),
    };
    assert_eq!(store.list_acts(None, 10).await.unwrap(), []);
    store.put_act(act(1, ActKind::LogIn)).await.unwrap();
    store.put_act(act(2, ActKind::Cancel)).await.unwrap();
    let store = backend.open().await;
    let all = store.list_acts(None, 10).await.unwrap();
    let told: Vec<&Act> = all.iter().map(|row| &row.act).collect();
    assert_eq!(told, [&act(2, ActKind::Cancel), &act(1, ActKind::LogIn)], "newest first");
    assert_eq!(store.list_acts(Some(all[0].id), 10).await.unwrap(), all[1..]);
    assert_eq!(store.list_acts(None, 1).await.unwrap(), all[..1]);
}
