//! What is a CloudFormation template as plain JSON? Its short tags are the functions that they stand for.

use serde_json::{Value, json};

use crate::finding::Problems;
use crate::tree::{Node, Value as Inside};
use crate::{File, yaml};

/// A template in YAML or JSON as the JSON that it stands for: `!GetAtt A.B` is `{"Fn::GetAtt": ["A", "B"]}`.
///
/// # Errors
/// A text that is not YAML, or exceeds the limits.
pub fn template(bytes: &[u8]) -> Result<Value, Problems> {
    yaml::parse("the template", bytes).map(|tree| plain(&tree))
}

/// The same of a file; the answer of `aws cloudformation get-template` is taken for the template in it.
///
/// # Errors
/// A file that is not YAML, or exceeds the limits.
pub fn template_json(file: File<'_>) -> Result<Value, Problems> {
    let value = plain(&yaml::parse(file.name, file.bytes)?);
    if let Some(body) = value["TemplateBody"].as_str() {
        return yaml::parse(file.name, body.as_bytes()).map(|tree| plain(&tree));
    }
    Ok(value.get("TemplateBody").cloned().unwrap_or(value))
}

pub(crate) fn plain(node: &Node) -> Value {
    let inside = match &node.value {
        Inside::Scalar { .. } => node.json(),
        Inside::List(nodes) => nodes.iter().map(plain).collect(),
        Inside::Map(map) => map.iter().map(|(key, node)| (key.text.clone(), plain(node))).collect(),
    };
    match node.tag.as_deref() {
        None => inside,
        Some(name @ ("Ref" | "Condition")) => json!({ name: inside }),
        Some("GetAtt") => {
            let parts = inside.as_str().and_then(|text| text.split_once('.'));
            json!({ "Fn::GetAtt": parts.map_or(inside.clone(), |(id, attribute)| json!([id, attribute])) })
        }
        Some(name) => json!({ (format!("Fn::{name}")): inside }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_tags_are_the_functions_that_they_stand_for() {
        let text = "Resources:\n  Live:\n    Type: AWS::Lambda::Alias\n    Condition: IsProd\n    Properties:\n      FunctionName: !Ref Hello\n      \
                    FunctionVersion: !If [IsProd, !GetAtt Base.Version, !Sub '${Number}']\n      Name: live\nConditions:\n  IsProd: !Not [!Condition IsTest]\n";
        let wanted = json!({
            "Resources": {"Live": {"Type": "AWS::Lambda::Alias", "Condition": "IsProd", "Properties": {
                "FunctionName": {"Ref": "Hello"},
                "FunctionVersion": {"Fn::If": ["IsProd", {"Fn::GetAtt": ["Base", "Version"]}, {"Fn::Sub": "${Number}"}]},
                "Name": "live",
            }}},
            "Conditions": {"IsProd": {"Fn::Not": [{"Condition": "IsTest"}]}},
        });
        assert_eq!(template(text.as_bytes()).unwrap(), wanted);
        assert_eq!(template(wanted.to_string().as_bytes()).unwrap(), wanted);
        assert!(template(b"a: [").is_err());
        assert_eq!(
            template(b"AWSTemplateFormatVersion: 2010-09-09\nA: !GetAtt [B, C]").unwrap()["A"],
            json!({"Fn::GetAtt": ["B", "C"]})
        );
    }
}
