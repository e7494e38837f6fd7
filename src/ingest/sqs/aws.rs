//! The queue as AWS serves it.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::config::{Builder, StalledStreamProtectionConfig};
use aws_sdk_sqs::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message,
    MessageSystemAttributeName, QueueAttributeName,
};

use super::inflight::BATCH;
use super::queue::{Answer, Delivered, Handle, Queue, QueueError, Refusal};
use crate::config::QueueConfig;
use crate::error::Class;

/// Time for one try of any call, beyond what a long poll waits on purpose.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// One SQS queue.
pub struct SqsQueue {
    client: Client,
    url: String,
    wait_seconds: i32,
    visibility_seconds: i32,
}

impl SqsQueue {
    /// Talks to the queue with the given AWS settings; makes no call yet.
    pub fn new(aws: &aws_config::SdkConfig, queue: &QueueConfig) -> Self {
        let config = aws_sdk_sqs::config::Builder::from(aws)
            // It takes the silence of a long poll for a stalled transfer.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        Self {
            client: Client::from_conf(config),
            url: queue.url.clone(),
            wait_seconds: i32::from(queue.wait_seconds),
            visibility_seconds: i32::try_from(queue.visibility_seconds).unwrap_or(i32::MAX),
        }
    }

    /// Asks whether the queue is there and ours to read; gives its ARN.
    ///
    /// # Errors
    /// Fatal when the queue is missing or the credentials are not good; otherwise worth another try.
    pub async fn probe(&self) -> Result<String, QueueError> {
        let asked = self.client.get_queue_attributes().queue_url(&self.url);
        let asked = asked.attribute_names(QueueAttributeName::QueueArn);
        let answer = asked.customize().config_override(patience(ATTEMPT_TIMEOUT, 1)).send().await;
        let answer = answer.map_err(|error| classify("GetQueueAttributes", &error))?;
        let arn = answer.attributes.and_then(|mut found| found.remove(&QueueAttributeName::QueueArn));
        Ok(arn.unwrap_or_default())
    }
}

impl Queue for SqsQueue {
    async fn receive(&self) -> Result<Vec<Delivered>, QueueError> {
        let wait = Duration::from_secs(self.wait_seconds.unsigned_abs().into());
        let answer = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(BATCH as i32)
            .wait_time_seconds(self.wait_seconds)
            .visibility_timeout(self.visibility_seconds)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .customize()
            // Without a limit above the poll's own wait, a dead connection would look like an empty queue for ever.
            .config_override(patience(wait + ATTEMPT_TIMEOUT, 1))
            .send()
            .await
            .map_err(|error| classify("ReceiveMessage", &error))?;
        Ok(answer.messages.unwrap_or_default().into_iter().filter_map(delivered).collect())
    }

    async fn delete(&self, handles: Vec<Handle>) -> Answer {
        let count = handles.len();
        let entries = handles.into_iter().enumerate().filter_map(|(index, handle)| {
            DeleteMessageBatchRequestEntry::builder().id(index.to_string()).receipt_handle(handle.0).build().ok()
        });
        let answer = self
            .client
            .delete_message_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries.collect()))
            .customize()
            .config_override(patience(ATTEMPT_TIMEOUT, 1))
            .send()
            .await
            .map_err(|error| classify("DeleteMessageBatch", &error))?;
        Ok(results(count, &answer.failed))
    }

    async fn change_visibility(&self, handles: Vec<Handle>, timeout: Duration) -> Answer {
        let count = handles.len();
        let seconds = i32::try_from(timeout.as_secs()).unwrap_or(i32::MAX);
        let entries = handles.into_iter().enumerate().filter_map(|(index, handle)| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(handle.0)
                .visibility_timeout(seconds)
                .build()
                .ok()
        });
        let answer = self
            .client
            .change_message_visibility_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries.collect()))
            .customize()
            .config_override(patience(Duration::from_secs(3), 4))
            .send()
            .await
            .map_err(|error| classify("ChangeMessageVisibilityBatch", &error))?;
        Ok(results(count, &answer.failed))
    }
}

fn delivered(message: Message) -> Option<Delivered> {
    let attributes = message.attributes.unwrap_or_default();
    let received = attributes.get(&MessageSystemAttributeName::ApproximateReceiveCount);
    Some(Delivered {
        message_id: message.message_id?,
        handle: Handle(message.receipt_handle?),
        attempts: received.and_then(|count| count.parse().ok()).unwrap_or(1),
        body: message.body.unwrap_or_default(),
    })
}

fn patience(attempt: Duration, attempts: u32) -> Builder {
    Builder::new()
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(3))
                .operation_attempt_timeout(attempt)
                .operation_timeout(attempt * attempts + Duration::from_secs(5))
                .build(),
        )
        .retry_config(RetryConfig::standard().with_max_attempts(attempts))
}

/// One result a message, in the order of the request. A 200 with a list of failures is how SQS says "partly".
fn results(count: usize, failed: &[BatchResultErrorEntry]) -> Vec<Result<(), Refusal>> {
    let mut results = vec![Ok(()); count];
    for entry in failed {
        let slot = entry.id().parse::<usize>().ok().and_then(|index| results.get_mut(index));
        if let Some(slot) = slot {
            let gone =
                matches!(entry.code(), "ReceiptHandleIsInvalid" | "InvalidParameterValue" | "MessageNotInflight")
                    || entry.code().ends_with(".MessageNotInflight");
            *slot = Err(if gone { Refusal::Gone } else { Refusal::Again(entry.code().to_owned()) });
        }
    }
    results
}

/// What a failed call means. Throttling, time-outs and 5xx pass; a missing queue and bad credentials do not.
fn classify<E, R>(operation: &'static str, error: &SdkError<E, R>) -> QueueError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default();
    let short = code.rsplit('.').next().unwrap_or(code);
    let missing = matches!(short, "QueueDoesNotExist" | "NonExistentQueue");
    let text = DisplayErrorContext(error).to_string();
    let no_credentials = code.is_empty()
        && (text.contains("CredentialsNotLoaded") || text.contains("credentials provider was not enabled"));
    let denied = no_credentials
        || matches!(
            short,
            "AccessDenied"
                | "AccessDeniedException"
                | "ExpiredToken"
                | "ExpiredTokenException"
                | "InvalidClientTokenId"
                | "InvalidSecurity"
                | "KmsAccessDenied"
                | "MissingAuthenticationToken"
                | "SignatureDoesNotMatch"
                | "UnrecognizedClientException"
        );
    let said = error.as_service_error().and_then(ProvideErrorMetadata::message);
    let what = match (code, said) {
        ("", _) if no_credentials => "no AWS credentials were found".to_owned(),
        ("", _) => text,
        (code, Some(said)) => format!("{code}: {said}"),
        (code, None) => code.to_owned(),
    };
    QueueError { operation, what, class: if missing || denied { Class::Fatal } else { Class::Retry }, denied }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_answer_of_200_can_still_hold_failures() {
        let entry = |id: &str, code: &str| {
            BatchResultErrorEntry::builder().id(id).code(code).sender_fault(false).build().unwrap()
        };
        let failed = [entry("1", "InternalError"), entry("2", "ReceiptHandleIsInvalid"), entry("9", "InternalError")];
        assert_eq!(
            results(4, &failed),
            [Ok(()), Err(Refusal::Again("InternalError".into())), Err(Refusal::Gone), Ok(())]
        );
    }
}
