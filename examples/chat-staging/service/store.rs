//! Threads and messages in memory. Bounded: the oldest go first.

use super::app::{new_id, now};
use super::config::MessageOrder;
use serde::Serialize;
use std::collections::VecDeque;

const MAX_THREADS: usize = 2_000;
const MAX_MESSAGES: usize = 10_000;

#[derive(Debug, Clone, Serialize)]
pub(super) struct Thread {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) user_id: String,
    created_at: String,
    #[serde(skip)]
    inbox: bool,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) thread_id: String,
    pub(super) user_id: String,
    pub(super) content: String,
    sequence: u64,
    created_at: String,
}

/// A part of a list.
#[derive(Debug, Serialize)]
pub(super) struct Page<T> {
    items: Vec<T>,
    total: usize,
    page: usize,
    limit: usize,
    has_more: bool,
}

impl<T> Page<T> {
    /// Page `page` (from 1) of `all`, `limit` items long.
    pub(super) fn cut(all: impl Iterator<Item = T>, page: usize, limit: usize) -> Self {
        let mut total = 0;
        let first = (page - 1).saturating_mul(limit);
        let mut items = Vec::new();
        for item in all {
            if total >= first && items.len() < limit {
                items.push(item);
            }
            total += 1;
        }
        let has_more = total > first.saturating_add(items.len());
        Self { items, total, page, limit, has_more }
    }
}

/// All threads and messages of all users.
pub(super) struct Store {
    threads: VecDeque<Thread>,
    messages: VecDeque<Message>,
    written: u64,
    fault: MessageOrder,
}

impl Store {
    pub(super) fn new(fault: MessageOrder) -> Self {
        Self { threads: VecDeque::new(), messages: VecDeque::new(), written: 0, fault }
    }

    pub(super) fn add_thread(&mut self, user: &str, title: &str) -> Thread {
        self.push_thread(user, title, false)
    }

    fn push_thread(&mut self, user: &str, title: &str, inbox: bool) -> Thread {
        if self.threads.len() >= MAX_THREADS {
            self.threads.pop_front();
        }
        let thread = Thread {
            id: new_id(),
            title: title.to_owned(),
            user_id: user.to_owned(),
            created_at: now(),
            inbox,
        };
        self.threads.push_back(thread.clone());
        thread
    }

    /// Where messages go that name no thread.
    pub(super) fn inbox(&mut self, user: &str) -> String {
        let found = self.threads.iter().find(|thread| thread.inbox && thread.user_id == user);
        match found {
            Some(thread) => thread.id.clone(),
            None => self.push_thread(user, "Inbox", true).id,
        }
    }

    pub(super) fn add_message(&mut self, user: &str, thread: &str, content: &str) -> Message {
        self.written += 1;
        let message = Message {
            id: new_id(),
            thread_id: thread.to_owned(),
            user_id: user.to_owned(),
            content: content.to_owned(),
            sequence: self.written,
            created_at: now(),
        };
        let copies = match self.fault {
            MessageOrder::Kept | MessageOrder::Reversed => 1,
            MessageOrder::Duplicated => 2,
            MessageOrder::Lossy => usize::from(!self.written.is_multiple_of(3)),
        };
        for _ in 0..copies {
            if self.messages.len() >= MAX_MESSAGES {
                self.messages.pop_front();
            }
            self.messages.push_back(message.clone());
        }
        message
    }

    pub(super) fn thread(&self, id: &str) -> Option<&Thread> {
        self.threads.iter().find(|thread| thread.id == id)
    }

    pub(super) fn message(&self, id: &str) -> Option<&Message> {
        self.messages.iter().find(|message| message.id == id)
    }

    /// Newest first.
    pub(super) fn threads(&self) -> impl Iterator<Item = &Thread> {
        self.threads.iter().rev()
    }

    /// Newest first.
    pub(super) fn messages(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter().rev()
    }

    /// Oldest first, as a conversation is read.
    pub(super) fn conversation(&self, thread: &str) -> Vec<Message> {
        let mut list: Vec<Message> =
            self.messages.iter().filter(|message| message.thread_id == thread).cloned().collect();
        if self.fault == MessageOrder::Reversed {
            list.reverse();
        }
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_is_bounded_and_forgets_the_oldest() {
        let mut store = Store::new(MessageOrder::Kept);
        let first = store.add_message("ada", "t", "first");
        for _ in 0..MAX_MESSAGES {
            store.add_message("ada", "t", "more");
        }
        assert_eq!(store.messages.len(), MAX_MESSAGES);
        assert!(store.message(&first.id).is_none());
    }

    #[test]
    fn pages_know_whether_more_follows() {
        let page = Page::cut(1..=3, 1, 2);
        assert_eq!((page.items, page.total, page.has_more), (vec![1, 2], 3, true));
        let page = Page::cut(1..=3, 2, 2);
        assert_eq!((page.items, page.total, page.has_more), (vec![3], 3, false));
        let page = Page::cut(1..=3, usize::MAX, 100);
        assert_eq!((page.items, page.has_more), (vec![], false));
    }
}
