//! E-mail over SMTP, with a text and an HTML part. Certificates are verified against the machine's
//! roots and, if configured, additional ones.

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Tokio1Executor,
    message::{Mailbox, MultiPart},
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
    },
};
use rustls::pki_types::{CertificateDer, pem::PemObject};

use super::{Alarm, Error, Message, async_trait, http::SEND};
use crate::config::{EmailConfig, EmailTls};

pub(super) struct Email {
    smtp: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Email {
    pub(super) fn new(config: &EmailConfig) -> Result<Self, Error> {
        crate::crypto::choose();
        let host = config.server.as_str();
        type Smtp = AsyncSmtpTransport<Tokio1Executor>;
        let mut smtp = match config.tls {
            EmailTls::StartTls => Smtp::starttls_relay(host)?.tls(Tls::Required(tls(config)?)),
            EmailTls::Tls => Smtp::relay(host)?.tls(Tls::Wrapper(tls(config)?)),
            EmailTls::None => Smtp::builder_dangerous(host),
        };
        if let Some(port) = config.port {
            smtp = smtp.port(port);
        }
        if let (Some(user), Some(password)) = (&config.user, &config.password) {
            smtp = smtp.credentials(Credentials::new(user.clone(), password.expose().to_owned()));
        }
        Ok(Self {
            smtp: smtp.timeout(Some(SEND)).build(),
            from: config.from.parse()?,
            to: config.to.iter().map(|to| to.parse()).collect::<Result<_, _>>()?,
        })
    }
}

fn tls(config: &EmailConfig) -> Result<TlsParameters, Error> {
    let mut tls = TlsParameters::builder(config.server.clone());
    if let Some(path) = &config.ca_cert {
        let unreadable =
            |why: String| format!("could not read certificates in {}: {why}", path.display());
        let pem = std::fs::read(path).map_err(|err| unreadable(err.to_string()))?;
        let certs = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
        let certs = certs.map_err(|err| unreadable(err.to_string()))?;
        if certs.is_empty() {
            return Err(unreadable("there are none".to_owned()).into());
        }
        for cert in certs {
            tls = tls.add_root_certificate(Certificate::from_der(cert.to_vec())?);
        }
    }
    Ok(tls.build()?)
}

#[async_trait]
impl Alarm for Email {
    async fn send(&self, message: &Message) -> Result<(), Error> {
        let mut mail = lettre::Message::builder().from(self.from.clone());
        for to in &self.to {
            mail = mail.to(to.clone());
        }
        let subject = format!("[FastJob] {}", message.title());
        let parts = MultiPart::alternative_plain_html(message.text(), message.html());
        self.smtp.send(mail.subject(subject).multipart(parts)?).await?;
        Ok(())
    }
}
