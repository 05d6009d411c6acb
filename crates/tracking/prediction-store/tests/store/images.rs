//! Images in a folder. The same rounds run against a bucket in [`crate::s3`].

use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use prediction_store::{
    Digest, Fault, ImageError, ImageLocation, ImageStore, PageLimit, Timestamp,
};
use tempfile::TempDir;

fn folder() -> (TempDir, PathBuf, ImageStore) {
    let home = TempDir::new().unwrap();
    let folder = home.path().join("of/images");
    let store = ImageStore::open_with(&ImageLocation::Folder(folder.clone()), []).unwrap();
    (home, folder, store)
}

fn path_of(folder: &std::path::Path, digest: Digest) -> PathBuf {
    let name = digest.to_string();
    folder.join(&name[..2]).join(name)
}

/// Sets when a file was written last.
fn touch(path: &std::path::Path, age: Duration) {
    let written = SystemTime::now() - age;
    File::options().write(true).open(path).unwrap().set_modified(written).unwrap();
}

const DAY: Duration = Duration::from_secs(86_400);

fn days_ago(days: u32) -> Timestamp {
    Timestamp::try_from(SystemTime::now() - DAY * days).unwrap()
}

/// Puts, gets, lists and removes.
pub(crate) async fn one_round(store: &ImageStore) {
    store.is_alive().await.unwrap();
    let digests: Vec<Digest> = (0..40_u8).map(|number| Digest::of(&[number])).collect();
    for number in 0..40_u8 {
        let digest = store.put(Bytes::from(vec![number])).await.unwrap();
        assert_eq!(digest, digests[usize::from(number)]);
    }
    assert_eq!(store.put(Bytes::from_static(&[7])).await.unwrap(), digests[7]);
    assert_eq!(store.get(digests[7]).await.unwrap(), Bytes::from_static(&[7]));

    let mut sorted = digests.clone();
    sorted.sort_unstable();
    for limit in [7, 40] {
        assert_eq!(walk(store, limit).await, sorted, "{limit} to a page");
    }

    store.delete(digests[7]).await.unwrap();
    store.delete(digests[7]).await.unwrap();
    let error = store.get(digests[7]).await.unwrap_err();
    assert!(matches!(error, ImageError::Unknown(digest) if digest == digests[7]), "{error}");

    assert_eq!(store.remove_older_than(days_ago(1)).await.unwrap(), []);
    sorted.retain(|digest| *digest != digests[7]);
    let tomorrow = Timestamp::try_from(SystemTime::now() + DAY).unwrap();
    assert_eq!(store.remove_older_than(tomorrow).await.unwrap(), sorted);
    assert_eq!(walk(store, 10).await, []);
}

async fn walk(store: &ImageStore, limit: u32) -> Vec<Digest> {
    let limit = PageLimit::try_from(limit).unwrap();
    let (mut found, mut from) = (Vec::new(), None);
    loop {
        let page = store.page(from, limit).await.unwrap();
        assert!(page.images.iter().all(|image| image.bytes == 1));
        found.extend(page.images.iter().map(|image| image.digest));
        from = page.next;
        if from.is_none() {
            return found;
        }
    }
}

#[tokio::test]
async fn a_folder_keeps_lists_and_removes_images() {
    let (_home, folder, store) = folder();
    one_round(&store).await;
    assert!(folder.is_dir());
}

#[tokio::test]
async fn names_are_digests_and_nothing_else() {
    let (_home, folder, store) = folder();
    let digest = store.put(Bytes::from_static(b"a scan")).await.unwrap();
    assert_eq!(std::fs::read(path_of(&folder, digest)).unwrap(), b"a scan");
    let names = |path: &std::path::Path| -> Vec<String> {
        let entries = std::fs::read_dir(path).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let name = digest.to_string();
    assert_eq!(names(&folder), [&name[..2]]);
    assert_eq!(names(&folder.join(&name[..2])), [name]);
}

#[tokio::test]
async fn only_what_was_stored_before_the_cutoff_is_removed() {
    let (_home, folder, store) = folder();
    let old = store.put(Bytes::from_static(b"old")).await.unwrap();
    let renewed = store.put(Bytes::from_static(b"renewed")).await.unwrap();
    let new = store.put(Bytes::from_static(b"new")).await.unwrap();
    for digest in [old, renewed] {
        touch(&path_of(&folder, digest), 31 * DAY);
    }
    // Sent again: kept as long as a new one.
    store.put(Bytes::from_static(b"renewed")).await.unwrap();
    // Not ours, whatever its age.
    let notes = folder.join("notes.txt");
    std::fs::write(&notes, "").unwrap();
    touch(&notes, 100 * DAY);
    // Partial files of processes that were killed while they stored an image.
    let unfinished = |number: u32, age| {
        let path = PathBuf::from(format!("{}#{number}", path_of(&folder, old).display()));
        std::fs::write(&path, "half an ima").unwrap();
        touch(&path, age);
        path
    };
    let (stale, at_work) = (unfinished(1, 31 * DAY), unfinished(2, Duration::ZERO));

    assert_eq!(store.remove_older_than(days_ago(30)).await.unwrap(), [old]);
    assert!(store.get(renewed).await.is_ok() && store.get(new).await.is_ok());
    assert!(notes.exists() && at_work.exists() && !stale.exists());
}

#[tokio::test]
async fn changed_bytes_are_not_given_out() {
    let (_home, folder, store) = folder();
    let digest = store.put(Bytes::from_static(b"a scan")).await.unwrap();
    std::fs::write(path_of(&folder, digest), "another").unwrap();
    let error = store.get(digest).await.unwrap_err();
    assert!(matches!(error, ImageError::Damaged { .. }), "{error}");
    store.put(Bytes::from_static(b"a scan")).await.unwrap();
    assert_eq!(store.get(digest).await.unwrap(), "a scan");
}

#[tokio::test]
async fn many_put_the_same_image_at_once() {
    let (_home, folder, store) = folder();
    let image = Bytes::from(vec![7; 1 << 20]);
    let puts = (0..20).map(|_| {
        let (store, image) = (store.clone(), image.clone());
        tokio::spawn(async move { store.put(image).await })
    });
    for put in puts.collect::<Vec<_>>() {
        assert_eq!(put.await.unwrap().unwrap(), Digest::of(&image));
    }
    let shard = path_of(&folder, Digest::of(&image));
    assert_eq!(std::fs::read_dir(shard.parent().unwrap()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_folder_that_is_gone_or_cannot_be_made_is_told() {
    let (_home, folder, store) = folder();
    std::fs::remove_dir_all(&folder).unwrap();
    let error = store.is_alive().await.unwrap_err();
    assert!(matches!(error, ImageError::Store { fault: Fault::Missing, .. }), "{error}");
    std::fs::write(&folder, "a file").unwrap();
    let beneath = ImageLocation::Folder(folder.join("images"));
    let error = ImageStore::open_with(&beneath, []).unwrap_err();
    assert!(error.to_string().starts_with("open the image store in"), "{error}");
}
