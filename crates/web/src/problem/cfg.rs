//! Problems in the words of `/cfg/accounts/*`: its generated client reads what our own API says,
//! `detail` or the first field's list.

use serde_json::json;

use super::Problem;
use super::dialect::Shape;

pub(super) fn shape(problem: &Problem) -> Shape {
    let body = match problem {
        Problem::InvalidCode => json!({ "error": problem.sentence() }),
        // A sentence for people besides: the client shows no `error`.
        Problem::CodesThrottled { seconds, code } => json!({
            "error": problem.sentence(),
            "error_code": code,
            "retry_after": seconds,
            "detail": format!("Too many requests. Try again in {seconds} seconds."),
        }),
        other => other.contract_body(),
    };
    Shape { status: problem.status(), body }
}
