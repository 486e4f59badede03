//! Bytes that nobody claims.

use crate::context::Context;
use crate::cursor::Data;
use crate::field::protocol;

protocol! { DATA "data" "Data" "Data";
    BYTES: bytes "data.data" "Data";
    LEN: int "data.len" "Length";
}

/// Shows what nobody understands.
pub(crate) fn show(cx: &mut Context<'_>, data: Data<'_>) {
    if data.is_empty() {
        return;
    }
    cx.layer(&DATA, data, |cx, c| {
        let len = c.all(cx, &BYTES).len();
        cx.conclude(&LEN, len as u64);
        Ok(())
    });
}
