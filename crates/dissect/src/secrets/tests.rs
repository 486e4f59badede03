use super::*;

#[test]
fn lines_are_read_and_nonsense_is_passed_over() {
    let mut log = KeyLog::default();
    assert!(log.is_empty());
    let (random, secret) = ("0a".repeat(32), "Bc".repeat(48));
    let text = format!(
        "# a comment\n\nCLIENT_RANDOM {random} {secret}\r\nSERVER_TRAFFIC_SECRET_0 {random} {}\n\
         EXPORTER_SECRET {random} {secret}\nCLIENT_RANDOM {random}\nCLIENT_RANDOM zz {secret}\n\
         CLIENT_RANDOM {} {secret}\nCLIENT_RANDOM {random} {}\n",
        "01".repeat(32),
        "0a".repeat(31),
        "ab".repeat(49),
    );
    assert_eq!(log.take(text.as_bytes()), 2);
    let keys = log.find(&[10; 32]).unwrap();
    assert_eq!(keys.master.unwrap().bytes(), [0xBC; 48]);
    assert_eq!(keys.application[1].unwrap().bytes(), [1; 32]);
    assert!(keys.application[0].is_none() && log.find(&[11; 32]).is_none());
    assert!(!log.is_empty());
}
