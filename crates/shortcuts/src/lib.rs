//! Classifiers that cannot know anything about tumours.
