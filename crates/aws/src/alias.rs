//! What does AWS have for an alias?

use controller::port::{AliasSnapshot, Answer, Call, Cloud, Failure};
use rollout::target::Subject;

use crate::connect::Aws;
use crate::error::failed;
use crate::limits;

/// The alias in such an answer.
macro_rules! held {
    ($operation:expr, $answer:expr) => {
        $crate::convert::alias(
            $operation,
            $answer.function_version(),
            $answer.description(),
            $answer.routing_config(),
            $answer.revision_id(),
        )
    };
}

pub(crate) use held;

impl Aws {
    /// The alias, or that there is none.
    pub(crate) async fn alias_now(&self, subject: &Subject) -> Answer<Option<AliasSnapshot>> {
        loop {
            let asked = self.time();
            let request = self.lambda.get_alias().function_name(subject.function.reference()).name(&subject.alias);
            match request.send().await.map_err(failed(Call::GetAlias)) {
                Ok(found) => return held!(Call::GetAlias, found).map(Some),
                // A missing function and a missing alias have the same code, and their words are not to be trusted with this.
                Err(error) if error.failure == Failure::NotFound => self.configuration(&subject.function, None).await?,
                Err(error) => return Err(error),
            };
            // What was not there before this process was suspended may be there now.
            if self.time().since(asked) <= 2 * limits::READ {
                return Ok(None);
            }
        }
    }
}
