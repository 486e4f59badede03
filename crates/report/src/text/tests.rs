use super::*;
use crate::fixture;

#[test]
fn print() {
    let trace = fixture::healthy();
    let verdict = thru_diagnose::diagnose(&trace);
    for width in [60, 80, 120] {
        println!("{}", render(&trace, &verdict, &Style { width, ..Style::default() }));
    }
}
