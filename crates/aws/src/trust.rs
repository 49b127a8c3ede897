//! Whose certificates are trusted? The machine's (`SSL_CERT_FILE` where that is set), and those of the files that AWS' tools take:
//! `AWS_CA_BUNDLE`, and `ca_bundle` of the profile.
//!
//! They are added to the machine's own: a hook's URL, which is not AWS', may need those.

use std::env;

use aws_config::profile;
use aws_smithy_http_client::tls::{TlsContext, TrustStore};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// What to trust where the environment or the profile names a file; `None` where neither does.
pub(crate) async fn bundle(profile: Option<&str>) -> Result<Option<TlsContext>, String> {
    let mut store = TrustStore::default();
    let mut any = false;
    for (path, from) in named(profile).await {
        let refused = |why: &str| {
            format!(
                "the CA bundle `{path}` ({from}) {why}\n  hint: it is a file of certificates in PEM, the CA of the proxy included"
            )
        };
        let text = std::fs::read(&path).map_err(|error| refused(&format!("cannot be read: {error}")))?;
        for certificate in certificates(&String::from_utf8_lossy(&text)).map_err(|why| refused(&why))? {
            store.add_pem_certificate(certificate);
        }
        any = true;
    }
    if !any {
        return Ok(None);
    }
    let context = TlsContext::builder().with_trust_store(store).build();
    context.map(Some).map_err(|error| format!("the CA bundle cannot be used: {error}"))
}

/// The files, and what names each.
async fn named(profile: Option<&str>) -> Vec<(String, &'static str)> {
    let environment = env::var(VARIABLE).ok().map(|path| (path, VARIABLE));
    let profile = profile.map(|name| name.to_owned().into());
    // Files that cannot be read are told of by what needs them: credentials and the Region.
    let (files, environment_of, named) = Default::default();
    let profiles = profile::load(&files, &environment_of, &named, profile).await;
    let in_profile = profiles.ok().and_then(|profiles| profiles.get("ca_bundle").map(from_home));
    let in_profile = in_profile.map(|path| (path, "`ca_bundle` of the profile"));
    environment.into_iter().chain(in_profile).filter(|(path, _)| !path.is_empty()).collect()
}

fn from_home(path: &str) -> String {
    match (path.strip_prefix("~/"), env::var("HOME")) {
        (Some(rest), Ok(home)) => format!("{home}/{rest}"),
        _ => path.to_owned(),
    }
}

/// The certificates of a PEM file, each as a text of its own; an error where there is none, or one that is none.
fn certificates(text: &str) -> Result<Vec<Vec<u8>>, String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(BEGIN) {
        let number = found.len() + 1;
        let (inside, after) = after.split_once(END).ok_or_else(|| format!("ends in the middle of certificate {number}"))?;
        let one = format!("{BEGIN}{inside}{END}\n").into_bytes();
        // The SDK's HTTP client takes one that it cannot use for a bug, and ends the process.
        let read = CertificateDer::from_pem_slice(&one).map_err(|error| error.to_string());
        let usable = read.and_then(|der| RootCertStore::empty().add(der).map_err(|error| error.to_string()));
        usable.map_err(|why| format!("has a certificate that cannot be used, number {number}: {why}"))?;
        found.push(one);
        rest = after;
    }
    if found.is_empty() { Err("has no certificate in it".to_owned()) } else { Ok(found) }
}

const VARIABLE: &str = "AWS_CA_BUNDLE";
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_is_certificates_and_what_stands_between_them() {
        let one = format!("{BEGIN}\n{}\n{}\n{END}", &SELF_SIGNED[..64], &SELF_SIGNED[64..]);
        assert_eq!(certificates(&format!("# Corporation\n{one}\n\n# Another\r\n{one}")).unwrap().len(), 2);
        for (text, word) in [
            ("", "no certificate"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "no certificate"),
            ("-----BEGIN CERTIFICATE-----\nMAcw", "ends in the middle of certificate 1"),
            ("-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----", "cannot be used, number 1"),
            ("-----BEGIN CERTIFICATE-----\nMAcwBQIBAQEA\n-----END CERTIFICATE-----", "cannot be used, number 1"),
            (&format!("{one}\n{BEGIN}\nAAAA\n{END}"), "cannot be used, number 2"),
        ] {
            let why = certificates(text).unwrap_err();
            assert!(why.contains(word), "{text}: {why}");
        }
    }

    /// For nobody, until 2126.
    const SELF_SIGNED: &str = "MIIBdTCCARugAwIBAgIUNRPXcwbx3ygaW2jVXoFg4ho1jikwCgYIKoZIzj0EAwIwDzENMAsGA1UEAwwEY29ycDAgFw0yNjExMjcxMTE1Mz\
        FaGA8yMTI2MTEwMzExMTUzMVowDzENMAsGA1UEAwwEY29ycDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABMq7+yfiXK2i6Ni3g3H2OJ2RHdnoUPAyuKlgpxk2eBFLy\
        Wz3YokDH682TXyeSeDGEta6XVwH6+FRe9rpoA8+xWWjUzBRMB0GA1UdDgQWBBQ7pRVmMGpiXXtRh8qHtL3wFJftrjAfBgNVHSMEGDAWgBQ7pRVmMGpiXXtRh8qHtL3w\
        FJftrjAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIHU+6MyOYltSjVeRDKcBIWZ7VSyiauJCBM3N2ngc+/+aAiEAqRYZvLeozouaQx/UO07IEnX/pbL\
        rYCX1oTdD7/EMGCY=";
}
