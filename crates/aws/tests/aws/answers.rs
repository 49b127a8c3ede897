//! How much of an answer is read, by the SDK's own HTTP client from a server of this test's own.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use aws::Aws;
use controller::port::{Cloud, Failure};

use crate::connecting::{real, settings};
use crate::simulated::subject;

/// A server that answers every request so, each on a connection of its own; what `answer` gives is how many bytes it wrote.
async fn against(
    answer: impl Fn(usize, &mut TcpStream) -> std::io::Result<usize> + Send + Sync + 'static,
) -> (Aws, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    let (written, answer) = (Arc::new(AtomicUsize::new(0)), Arc::new(answer));
    let count = Arc::clone(&written);
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let (Ok(mut stream), answer, count) = (stream, Arc::clone(&answer), Arc::clone(&count)) else { return };
            thread::spawn(move || {
                let mut request = [0; 16 * 1024];
                if stream.read(&mut request).is_ok() {
                    // A client that has seen enough hangs up.
                    count.fetch_add(answer(number, &mut stream).unwrap_or_default(), Ordering::SeqCst);
                }
            });
        }
    });
    (real(settings("us-east-1", &url)).await.expect("sound settings"), written)
}

#[tokio::test]
async fn an_answer_without_end_is_given_up_after_what_the_call_can_need() {
    for status in ["200 OK", "404 Not Found", "500 Internal Server Error"] {
        let (aws, _) = against(move |_, stream| {
            write!(stream, "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")?;
            let chunk = vec![b' '; 64 * 1024];
            // Far more than is read of one answer, so that reading all of it would be noticed.
            for _ in 0..4_000 {
                write!(stream, "10000\r\n")?;
                stream.write_all(&chunk)?;
                stream.write_all(b"\r\n")?;
            }
            stream.write_all(b"0\r\n\r\n")?;
            panic!("all of it was read");
        })
        .await;
        let began = Instant::now();
        let error = aws.alias(&subject("hello:live")).await.expect_err("no end");
        assert_eq!((error.failure, error.code.as_deref()), (Failure::Unanswered, None), "{error}");
        assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
        assert!(error.message.contains("longer than 1024 KiB"), "{error}");
    }
}

#[tokio::test]
async fn an_invocation_may_answer_six_megabytes() {
    let payload = 6 * 1024 * 1024;
    let (aws, _) = against(move |_, stream| {
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {payload}\r\nconnection: close\r\n\r\n")?;
        stream.write_all(&vec![b' '; payload])?;
        Ok(payload)
    })
    .await;
    let reply = aws.invoke(&"hello".parse().expect("a name"), b"{}", Duration::from_mins(1)).await.expect("an answer");
    assert_eq!(reply.payload.len(), payload);
}

#[tokio::test]
async fn pages_without_end_are_given_up() {
    let (aws, _) = against(|number, stream| {
        let body = format!(r#"{{"Aliases":[],"NextMarker":"{number}"}}"#);
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())?;
        Ok(body.len())
    })
    .await;
    let error = aws.alias_names(&subject("hello:live").function).await.expect_err("no end");
    assert_eq!(error.failure, Failure::Unanswered);
    assert!(error.message.contains("more than 100 pages"), "{error}");
}
