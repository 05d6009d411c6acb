use std::collections::{BTreeMap, BTreeSet};

use dataset::Split;
use serde::Serialize;

/// Counts of patients and their images.
#[derive(Debug, Serialize)]
pub(crate) struct PatientCounts {
    /// Number of known patients.
    pub(crate) patients: usize,
    /// Images without a known patient.
    pub(crate) images_of_unknown_patients: usize,
    /// Patients with images in more than one split.
    pub(crate) patients_in_several_splits: usize,
}

impl PatientCounts {
    pub(crate) fn of(patients: &[Option<String>], splits: &[Split]) -> Self {
        let mut seen: BTreeMap<&str, BTreeSet<Split>> = BTreeMap::new();
        for (patient, split) in patients.iter().zip(splits) {
            if let Some(patient) = patient {
                seen.entry(patient).or_default().insert(*split);
            }
        }
        Self {
            patients: seen.len(),
            images_of_unknown_patients: patients.iter().filter(|it| it.is_none()).count(),
            patients_in_several_splits: seen.values().filter(|splits| splits.len() > 1).count(),
        }
    }
}
