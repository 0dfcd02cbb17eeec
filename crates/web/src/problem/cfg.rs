//! Problems in the words of `/cfg/accounts/*`: its generated client reads what our own API says,
//! `detail` or the first field's list.

use super::Problem;
use super::dialect::Shape;

pub(super) fn shape(problem: &Problem) -> Shape {
    Shape { status: problem.status(), body: problem.contract_body() }
}
