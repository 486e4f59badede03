//! Scenario files and the internet that is built in.
