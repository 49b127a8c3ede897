//! Which queues and streams feed a function? Event source mappings: made, shown, listed and deleted; nothing is delivered.

use super::call::{Call, inputs};
use super::mapping::{Mapping, Wanted};
use super::refusal::{Refusal, Violations};
use super::{Done, Lambda};
use crate::time::Time;

inputs! {
    MappingInput {
        event_source_arn: String,
        function_name: String,
        enabled: bool,
        batch_size: i64,
        maximum_batching_window_in_seconds: i64,
        starting_position: String,
    }
}

impl Lambda {
    pub(super) fn create_mapping(&mut self, call: &Call<'_>) -> Result<Done, Refusal> {
        let input: MappingInput = call.input()?;
        Violations::check(|broken| {
            broken.required(input.function_name.as_ref(), "functionName");
            broken.range(input.batch_size, "batchSize", 1, 10_000);
            broken.range(input.maximum_batching_window_in_seconds, "maximumBatchingWindowInSeconds", 0, 300);
        })?;
        let source = input.event_source_arn.unwrap_or_default();
        let service = source.split(':').nth(2).unwrap_or_default().to_owned();
        let is_queue = match service.as_str() {
            "sqs" => true,
            "kinesis" | "dynamodb" => false,
            _ => return Err(Refusal::invalid("Unrecognized event source.")),
        };
        if !is_queue {
            Violations::check(|broken| broken.required(input.starting_position.as_ref(), "startingPosition"))
                .map_err(|refusal| Refusal::invalid(format!("{}.", refusal.message)))?;
        }
        let target = self.place.parse(&input.function_name.unwrap_or_default())?;
        let found = self.functions.get(&target.name).and_then(|function| function.qualified(target.qualifier.as_deref()));
        found.ok_or_else(|| Refusal::function_not_found(&self.place.full_arn(&target)))?;
        self.forget_deleted(call.now);
        let twin = self.mappings.iter().find(|(_, mapping)| {
            mapping.source == source && mapping.function == target.name && mapping.qualifier == target.qualifier
        });
        if let Some((uuid, _)) = twin {
            return Err(twice(is_queue, &source, &target.name, uuid));
        }
        let mapping = Mapping {
            source,
            function: target.name,
            qualifier: target.qualifier,
            batch: input.batch_size.unwrap_or(if is_queue { 10 } else { 100 }),
            window: input.maximum_batching_window_in_seconds.unwrap_or(0),
            start: input.starting_position.filter(|_| !is_queue),
            wanted: if input.enabled == Some(false) { Wanted::Disabled } else { Wanted::Enabled },
            changed: call.now,
        };
        let uuid = self.revision();
        let mut shown = mapping.show(&self.place, &uuid, call.now, self.settings.settle);
        // It is being made, however little time that takes.
        shown["State"] = "Creating".into();
        self.mappings.insert(uuid, mapping);
        Ok(Done::json(202, shown))
    }

    pub(super) fn read_mapping(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let mapping = self
            .mappings
            .get(&call.target)
            .filter(|mapping| !mapping.is_gone(call.now, self.settings.settle))
            .ok_or_else(Refusal::no_resource)?;
        Ok(Done::json(200, mapping.show(&self.place, &call.target, call.now, self.settings.settle)))
    }

    pub(super) fn update_mapping(&mut self, call: &Call<'_>) -> Result<Done, Refusal> {
        let input: MappingInput = call.input()?;
        Violations::check(|broken| {
            broken.range(input.batch_size, "batchSize", 1, 10_000);
            broken.range(input.maximum_batching_window_in_seconds, "maximumBatchingWindowInSeconds", 0, 300);
        })?;
        self.forget_deleted(call.now);
        let settle = self.settings.settle;
        let known = self.mappings.get(&call.target).ok_or_else(Refusal::no_resource)?;
        if known.wanted == Wanted::Deleted || call.now.since(known.changed) < settle {
            return Err(Refusal::in_use("Cannot update the event source mapping because it is in use."));
        }
        let mut mapping = known.clone();
        if let Some(name) = &input.function_name {
            let target = self.place.parse(name)?;
            let found = self.functions.get(&target.name).and_then(|function| function.qualified(target.qualifier.as_deref()));
            found.ok_or_else(|| Refusal::function_not_found(&self.place.full_arn(&target)))?;
            (mapping.function, mapping.qualifier) = (target.name, target.qualifier);
        }
        let same = |other: &Mapping| {
            (&other.source, &other.function, &other.qualifier) == (&mapping.source, &mapping.function, &mapping.qualifier)
        };
        if let Some((twin, _)) = self.mappings.iter().find(|(uuid, other)| **uuid != call.target && same(other)) {
            return Err(twice(mapping.start.is_none(), &mapping.source, &mapping.function, twin));
        }
        mapping.batch = input.batch_size.unwrap_or(mapping.batch);
        mapping.window = input.maximum_batching_window_in_seconds.unwrap_or(mapping.window);
        mapping.wanted = match input.enabled {
            Some(true) => Wanted::Enabled,
            Some(false) => Wanted::Disabled,
            None => mapping.wanted,
        };
        mapping.changed = call.now;
        let mut shown = mapping.show(&self.place, &call.target, call.now, settle);
        shown["State"] = "Updating".into();
        self.mappings.insert(call.target.clone(), mapping);
        Ok(Done::json(202, shown))
    }

    pub(super) fn delete_mapping(&mut self, call: &Call<'_>) -> Result<Done, Refusal> {
        self.forget_deleted(call.now);
        let settle = self.settings.settle;
        let mapping = self.mappings.get_mut(&call.target).ok_or_else(Refusal::no_resource)?;
        if mapping.wanted == Wanted::Deleted || call.now.since(mapping.changed) < settle {
            return Err(Refusal::in_use("Cannot delete the event source mapping because it is in use."));
        }
        (mapping.wanted, mapping.changed) = (Wanted::Deleted, call.now);
        let mut shown = mapping.show(&self.place, &call.target, call.now, self.settings.settle);
        shown["State"] = "Deleting".into();
        Ok(Done::json(202, shown))
    }

    pub(super) fn list_mappings(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let source = call.query("EventSourceArn");
        let target = call.query("FunctionName").map(|name| self.place.parse(name)).transpose()?;
        if let Some(target) = &target {
            self.function(&target.name)?;
        }
        let wanted = |mapping: &Mapping| {
            let of_function = target.as_ref().is_none_or(|target| {
                let qualified = target.qualifier.is_some() || self.settings.lists_mappings_exactly;
                mapping.function == target.name && (!qualified || mapping.qualifier == target.qualifier)
            });
            of_function
                && source.is_none_or(|source| mapping.source == source)
                && !mapping.is_gone(call.now, self.settings.settle)
        };
        let found = self.mappings.iter().filter(|(_, mapping)| wanted(mapping));
        let shown = found.map(|(uuid, mapping)| mapping.show(&self.place, uuid, call.now, self.settings.settle)).collect();
        Done::list(call, "EventSourceMappings", shown)
    }

    fn forget_deleted(&mut self, now: Time) {
        self.mappings.retain(|_, mapping| !mapping.is_gone(now, self.settings.settle));
    }
}

/// A second mapping from the same source to the same target; queues have a sentence of their own.
fn twice(is_queue: bool, source: &str, function: &str, uuid: &str) -> Refusal {
    let known = if is_queue {
        format!("An event source mapping with SQS arn (\" {source} \") and function (\" {function} \") already exists.")
    } else {
        format!("The event source arn (\" {source} \") and function (\" {function} \") provided mapping already exists.")
    };
    Refusal::conflict(format!("{known} Please update or delete the existing mapping with UUID {uuid}"))
}
