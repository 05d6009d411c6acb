//! Acknowledged data survives `kill -9`.

use std::io::{BufRead as _, BufReader};

use prediction_store::{PredictionId, PredictionStore};

use crate::children::{ACKNOWLEDGED, child, start};
use crate::databases::{Database, on_both_databases};

on_both_databases!(no_acknowledged_feedback_is_lost_in_a_hundred_kills);

const KILLS: usize = 100;

async fn no_acknowledged_feedback_is_lost_in_a_hundred_kills(database: Database) {
    let mut acknowledged = Vec::new();
    for kill in 0..KILLS {
        // Sometimes at the first acknowledgement, sometimes in the middle of writing.
        acknowledged.extend(killed_after(1 + kill % 9, &database.address));
    }
    assert!(acknowledged.len() >= KILLS);
    let store = PredictionStore::open(&database.url).await.unwrap();
    for id in &acknowledged {
        let feedback = store.prediction(*id).await.unwrap().feedback;
        assert_eq!(feedback.unwrap().class, "adenocarcinoma", "{id}");
    }
    let total = store.feedback_summary(None).await.unwrap().total;
    assert!(total >= acknowledged.len() as u64, "{total} rows");
    eprintln!("{KILLS} kills, {} acknowledged, {total} found", acknowledged.len());
}

/// Starts a writer, kills it after this many acknowledgements, and returns all that it
/// acknowledged.
fn killed_after(acknowledgements: usize, database: &str) -> Vec<PredictionId> {
    let mut writer = start(child("records_until_it_ends", database));
    let mut said = BufReader::new(writer.stdout.take().unwrap()).lines();
    let mut ids = Vec::new();
    while let Some(Ok(line)) = said.next() {
        assert!(!line.starts_with(crate::children::REFUSED), "{line}");
        let Some(id) = line.strip_prefix(ACKNOWLEDGED) else { continue };
        // The kill may have cut off the last line.
        let Ok(id) = id.parse() else { continue };
        ids.push(id);
        if ids.len() == acknowledgements {
            writer.kill().unwrap();
        }
    }
    writer.wait().unwrap();
    ids
}
