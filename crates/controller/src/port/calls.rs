//! Which of AWS' operations are called? A row for each: the permission that it takes and the limit that it counts against.

/// What AWS counts a call against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallLimit {
    /// Lambda's control calls, which the whole account shares.
    Control,
    /// The same, and of these the part that reads of aliases keep to.
    AliasRead,
    /// `DescribeAlarms`: nine a second in an account and Region, whoever asks.
    AlarmRead,
    /// `GetSchedule`: from 50 to 1,000 a second, by Region.
    ScheduleRead,
    /// A limit of its own, far from what a rollout uses: `CloudFormation`, `CloudWatch` and its logs, invocations.
    Own,
}

macro_rules! calls {
    ($($name:ident: $permission:literal, $limit:ident;)*) => {
        /// One of AWS' operations.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "each has the name that AWS gives it")]
        pub enum Call { $($name,)* }

        impl Call {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The operation, as AWS calls it: `UpdateAlias`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The permission that it takes: `lambda:UpdateAlias`.
            pub const fn permission(self) -> &'static str {
                match self { $(Self::$name => $permission,)* }
            }

            /// What it counts against.
            pub const fn limit(self) -> CallLimit {
                match self { $(Self::$name => CallLimit::$limit,)* }
            }
        }
    };
}

impl From<Call> for &'static str {
    fn from(call: Call) -> Self {
        call.name()
    }
}

calls! {
    GetAlias: "lambda:GetAlias", AliasRead;
    UpdateAlias: "lambda:UpdateAlias", Control;
    CreateAlias: "lambda:CreateAlias", Control;
    ListAliases: "lambda:ListAliases", Control;
    GetFunctionConfiguration: "lambda:GetFunctionConfiguration", Control;
    GetFunction: "lambda:GetFunction", Control;
    ListVersionsByFunction: "lambda:ListVersionsByFunction", Control;
    GetFunctionConcurrency: "lambda:GetFunctionConcurrency", Control;
    GetProvisionedConcurrencyConfig: "lambda:GetProvisionedConcurrencyConfig", Control;
    PublishVersion: "lambda:PublishVersion", Control;
    UpdateFunctionCode: "lambda:UpdateFunctionCode", Control;
    ListTags: "lambda:ListTags", Control;
    TagResource: "lambda:TagResource", Control;
    UntagResource: "lambda:UntagResource", Control;
    ListEventSourceMappings: "lambda:ListEventSourceMappings", Control;
    ListFunctionUrlConfigs: "lambda:ListFunctionUrlConfigs", Control;
    GetPolicy: "lambda:GetPolicy", Control;
    Invoke: "lambda:InvokeFunction", Own;
    DescribeAlarms: "cloudwatch:DescribeAlarms", AlarmRead;
    DescribeAlarmHistory: "cloudwatch:DescribeAlarmHistory", Own;
    GetMetricData: "cloudwatch:GetMetricData", Own;
    ListMetrics: "cloudwatch:ListMetrics", Own;
    ListTagsForResource: "cloudwatch:ListTagsForResource", Own;
    PutMetricAlarm: "cloudwatch:PutMetricAlarm", Own;
    SetAlarmState: "cloudwatch:SetAlarmState", Own;
    DescribeLogGroups: "logs:DescribeLogGroups", Own;
    StartQuery: "logs:StartQuery", Own;
    GetQueryResults: "logs:GetQueryResults", Own;
    StopQuery: "logs:StopQuery", Own;
    FilterLogEvents: "logs:FilterLogEvents", Own;
    StartExecution: "states:StartExecution", Own;
    DescribeExecution: "states:DescribeExecution", Own;
    Publish: "sns:Publish", Own;
    PutEvents: "events:PutEvents", Own;
    GetCallerIdentity: "sts:GetCallerIdentity", Own;
    CreateSchedule: "scheduler:CreateSchedule", Own;
    GetSchedule: "scheduler:GetSchedule", ScheduleRead;
    ListSchedules: "scheduler:ListSchedules", Own;
    DeleteSchedule: "scheduler:DeleteSchedule", Own;
    DescribeStackResource: "cloudformation:DescribeStackResource", Own;
    DescribeStackResources: "cloudformation:DescribeStackResources", Own;
    DescribeStacks: "cloudformation:DescribeStacks", Own;
    GetTemplate: "cloudformation:GetTemplate", Own;
}
