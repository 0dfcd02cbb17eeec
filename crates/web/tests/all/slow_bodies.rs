//! Requests whose bodies come after their sessions have ended (attack D04): the head passes every
//! check, the body is held back until the owner has ended the session.

use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request};
use ironlatch_testkit::{Answer, PASSWORD, TestServer};
use tokio::sync::oneshot;

use crate::each_server;

const ADA: &str = "ada@example.com";
/// One red pixel.
const GIF: &[u8] =
    b"GIF89a\x01\0\x01\0\x80\0\0\xff\0\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0;";

/// A request as it is sent but for its body, and what the body will be.
struct Held {
    method: Method,
    path: &'static str,
    proof: (&'static str, String),
    kind: &'static str,
    body: Vec<u8>,
}

/// Sends the head, lets `meanwhile` happen once the body is waited for, then sends the body.
async fn send(server: &TestServer, held: Held, meanwhile: impl Future<Output = ()>) -> Answer {
    let (waited_for, is_waited_for) = oneshot::channel();
    let (let_go, may_go) = oneshot::channel::<()>();
    let body = held.body;
    let body = futures_util::stream::once(async move {
        waited_for.send(()).unwrap();
        may_go.await.unwrap();
        Ok::<_, std::io::Error>(Bytes::from(body))
    });
    let request = Request::builder()
        .method(held.method)
        .uri(held.path)
        .header("host", "localhost:8000")
        .header(held.proof.0, held.proof.1)
        .header("content-type", held.kind)
        .body(Body::from_stream(body))
        .unwrap();
    let peer = server.stranger().address;
    let (answer, ()) = tokio::join!(server.call(request, peer), async {
        is_waited_for.await.expect("the body is asked for");
        meanwhile.await;
        let_go.send(()).unwrap();
    });
    answer
}

fn form() -> Vec<u8> {
    let head = "--x\r\nContent-Disposition: form-data; name=\"avatar\"; filename=\"a.gif\"\r\n\r\n";
    [head.as_bytes(), GIF, b"\r\n--x--\r\n"].concat()
}

#[tokio::test]
async fn d04_a_body_held_back_does_nothing_once_the_session_is_over() {
    const JSON: &str = "application/json";
    each_server(async |server| {
        let ada = server.verified_account(ADA).await;
        // What the same requests do while the session lives comes last.
        for is_over in [true, false] {
            for (method, path, kind, body) in [
                (Method::PATCH, "/api/profile/", JSON, br#"{"first_name":"Eve"}"#.to_vec()),
                (Method::POST, "/api/profile/avatar/", "multipart/form-data; boundary=x", form()),
                (
                    Method::POST,
                    "/api/auth/email/change/",
                    JSON,
                    br#"{"email":"e@e.example"}"#.to_vec(),
                ),
                (Method::POST, "/api/auth/2fa/totp/", JSON, b"{}".to_vec()),
                (Method::POST, "/api/auth/sessions/end-others/", JSON, b"{}".to_vec()),
            ] {
                let session = server.sign_in(ADA, PASSWORD).await;
                let proof =
                    ("authorization", format!("Bearer {}", session.started.access.reveal()));
                let held = Held { method, path, proof, kind, body };
                let answer = send(&server, held, async {
                    if is_over {
                        let (sessions, client) = (server.auth.sessions(), server.stranger());
                        let session = session.started.session;
                        assert!(sessions.end(ada.id, session, &client).await.unwrap());
                    }
                })
                .await;
                if !is_over {
                    answer.expect(200);
                    continue;
                }
                assert_eq!(answer.expect(401).json()["code"], "token_not_valid", "{path}");
                let profile = server.auth.profiles().find(ada.id).await.unwrap().unwrap();
                assert_eq!((profile.first_name.as_str(), profile.avatar), ("", None));
                server.deliver().await;
                assert!(server.inbox.to("e@e.example").is_empty());
            }
        }
    })
    .await;
}
