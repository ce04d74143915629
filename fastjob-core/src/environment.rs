//! Environment variables that the platform sets.

/// Whether Kubernetes or Docker sets the variable for a service whose name begins with `fastjob`,
/// such as `FASTJOB_SERVICE_HOST` and `FASTJOB_PORT_7070_TCP_ADDR`. It is not a setting then.
pub fn is_service_link(name: &str, value: &str) -> bool {
    let has_port = |(_, rest): (&str, &str)| {
        let (port, protocol) = rest.split_once('_').unwrap_or((rest, ""));
        !port.is_empty()
            && port.bytes().all(|byte| byte.is_ascii_digit())
            && ["TCP", "UDP", "SCTP"].iter().any(|known| protocol.starts_with(known))
    };
    name.contains("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || (name.ends_with("_PORT") && value.contains("://"))
        || name.split_once("_PORT_").is_some_and(has_port)
}

#[cfg(test)]
mod tests {
    use super::is_service_link;

    #[test]
    fn variables_of_services_are_distinguished_from_settings_by_name_and_value() {
        for service in ["FASTJOB", "FASTJOB_EXECUTOR"] {
            for (link, value) in [
                ("SERVICE_HOST", "10.0.0.1"),
                ("SERVICE_PORT", "7070"),
                ("SERVICE_PORT_HTTP", "7070"),
                ("PORT", "tcp://10.0.0.1:7070"),
                ("PORT_7070_TCP", "tcp://10.0.0.1:7070"),
                ("PORT_7070_TCP_ADDR", "10.0.0.1"),
            ] {
                assert!(is_service_link(&format!("{service}_{link}"), value), "{link}");
            }
            for (setting, value) in [("PORT", "9999"), ("PORT_7070", "1"), ("NAME", "tcp://a")] {
                assert!(!is_service_link(&format!("{service}_{setting}"), value), "{setting}");
            }
        }
    }
}
