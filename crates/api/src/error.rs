//! What an API server answers instead of what was asked for.

use kube::error::DiscoveryError;
use ringfort_model::causes::with_causes;

/// Says what an API server answered instead of what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The server refused.
    #[error("{status} {reason}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Kubernetes' reason, such as `Forbidden`.
        reason: String,
        /// Kubernetes' message.
        message: String,
    },
    /// The server could not be reached or broke off.
    #[error("the API server cannot be reached: {why}")]
    Unreachable {
        /// What went wrong.
        why: String,
    },
    /// The object is none of Kubernetes.
    #[error("not an object of Kubernetes: {why}")]
    Shape {
        /// What is wrong with it.
        why: String,
    },
}

impl ApiError {
    /// Gives the HTTP status, if the server answered.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            Self::Unreachable { .. } | Self::Shape { .. } => None,
        }
    }
}

/// Takes "not found" for an answer. It comes as a `Status` of the object, or, when its custom resource
/// definition went, as plain text for a path that is no longer served. A server that has yet to
/// learn what is served answers 503 instead.
pub(crate) fn present<T>(answer: Result<T, ApiError>) -> Result<Option<T>, ApiError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.status() == Some(404) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(crate) fn shape(source: &dyn std::error::Error) -> ApiError {
    ApiError::Shape { why: source.to_string() }
}

pub(crate) fn fault(source: kube::Error) -> ApiError {
    match source {
        kube::Error::Api(status) => ApiError::Refused {
            status: status.code,
            reason: status.reason.clone(),
            message: status.message.clone(),
        },
        kube::Error::Discovery(
            error @ (DiscoveryError::MissingKind(_) | DiscoveryError::MissingApiGroup(_)),
        ) => ApiError::Refused {
            status: 404,
            reason: "NotFound".to_owned(),
            message: error.to_string(),
        },
        other => ApiError::Unreachable { why: with_causes(&other) },
    }
}
