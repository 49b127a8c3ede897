//! The controller's template, the price of what it continues, and the binary as its function: started as the Lambda runtime starts it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::served::{Served, canaryctl, code, expect, function, json_lines, kill, run, start, text};

const CONTROLLER: &str = "canaryctl-controller";

fn template(arguments: &str) -> Value {
    serde_json::from_slice(&expect(run(&format!("controller template {arguments}")), 0, CONTROLLER).stdout).unwrap()
}

#[test]
fn the_template_has_a_role_for_these_functions_alone() {
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders:live";
    let printed = template(&format!(
        "hello {arn} --hook smoke --managed-alarm bad --gates --keep-previous before --rollout-notify events:ours --notify {arn} --s3 shelf/our/code.zip"
    ));
    let resources = &printed["Resources"];
    let controller = &resources["Controller"]["Properties"];
    assert_eq!(controller["Code"], json!({"S3Bucket": "shelf", "S3Key": "our/code.zip"}));
    let of = |name: &str| controller[name].clone();
    assert_eq!(
        [
            of("FunctionName"),
            of("Runtime"),
            of("Architectures"),
            of("MemorySize"),
            of("Timeout"),
            of("ReservedConcurrentExecutions")
        ],
        [json!(CONTROLLER), json!("provided.al2023"), json!(["x86_64"]), json!(256), json!(900), Value::Null]
    );
    assert_eq!(printed["Parameters"], Value::Null);
    let statements = resources["ControllerRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"].as_array().unwrap();
    let on = |sid: &str| statements.iter().find(|one| one["Sid"] == sid).unwrap_or_else(|| panic!("{sid}"))["Resource"].clone();
    let own = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function";
    let hello = json!({"Fn::Sub": format!("{own}:hello")});
    let all = json!({"Fn::Sub": format!("{own}:hello:*")});
    assert_eq!(on("Alias"), json!([hello, all, arn.trim_end_matches(":live"), arn]));
    assert_eq!(on("Function"), json!([hello, arn.trim_end_matches(":live")]));
    assert!(on("Hooks").as_array().unwrap().contains(&json!({"Fn::Sub": format!("{own}:smoke")})));
    let schedules = "arn:${AWS::Partition}:scheduler:${AWS::Region}:${AWS::AccountId}:schedule/canaryctl/*";
    assert_eq!(on("Schedules"), json!([{"Fn::Sub": schedules}]));
    assert_eq!(
        on("Events"),
        json!([{"Fn::Sub": "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/ours"}, "arn:aws:events:eu-west-1:123456789012:event-bus/ours"])
    );
    assert!(on("PreviousVersion").to_string().contains(":orders:before"));
    // What may be done to everything changes nothing.
    let everywhere = statements.iter().filter(|one| one["Resource"] == "*").flat_map(|one| one["Action"].as_array().unwrap());
    let reads =
        ["DescribeAlarms", "DescribeAlarmHistory", "GetMetricData", "ListMetrics"].map(|read| format!("cloudwatch:{read}"));
    let lists = "scheduler:ListSchedules".to_owned();
    assert_eq!(everywhere.map(|action| action.as_str().unwrap().to_owned()).collect::<Vec<_>>(), [&reads[..], &[lists]].concat());
    let clock = &resources["Clock"]["Properties"];
    let name = |name: &str| clock[name].as_str().unwrap().to_owned();
    assert_eq!(
        [name("Name"), name("State"), name("ScheduleExpression")],
        ["clock.canaryctl-controller", "ENABLED", "rate(1 minute)"]
    );
    assert_eq!(
        clock["Target"]["Input"],
        json!({"Fn::Sub": r#"{"at":"<aws.scheduler.scheduled-time>","turns":"${Controller.Arn}","v":1}"#})
    );
    // Without hooks nothing is invoked.
    let bare = template("hello");
    assert!(!bare["Resources"]["ControllerRole"].to_string().contains("InvokeFunction"));
    assert_eq!(bare["Resources"]["Controller"]["Properties"]["Code"]["S3Key"], json!({"Ref": "CodeKey"}));
    assert!(bare["Parameters"]["CodeBucket"].is_object());
    assert_eq!(bare["Resources"]["Guard"], Value::Null);
    let role = &bare["Resources"]["SchedulerRole"]["Properties"];
    assert_eq!(role["RoleName"], json!({"Fn::Sub": "canaryctl-controller-scheduler-${AWS::Region}"}));
    let invokes = &role["Policies"][0]["PolicyDocument"]["Statement"];
    assert_eq!(invokes[0]["Resource"], json!({"Fn::GetAtt": ["Controller", "Arn"]}));
    let image =
        template("hello --image 123456789012.dkr.ecr.eu-west-1.amazonaws.com/canaryctl:1 --architecture arm64 --with-guard");
    let controller = &image["Resources"]["Controller"]["Properties"];
    assert_eq!((&controller["Runtime"], &controller["Architectures"]), (&Value::Null, &json!(["arm64"])));
    assert_eq!(image["Resources"]["Guard"]["Properties"]["StateMachineName"], "canaryctl-guard");
    expect(run("controller template"), 2, "FUNCTION");
    expect(run("controller template hello --s3 shelf"), 2, "use BUCKET/KEY");
}

#[test]
fn a_plan_and_a_policy_say_what_a_detached_rollout_takes() {
    let served = Served::furnished(|world| {
        function(world, "hello", "live");
        world.create_function(CONTROLLER, &[]).unwrap();
    });
    let plan = "plan hello --type Linear10PercentEvery10Minutes --bake 10m --no-config --detach";
    let costs = "about $0.03 for the whole rollout: 101 invocations of canaryctl-controller by its schedule, 1,389 GB-seconds";
    expect(served.run(plan), 0, costs);
    let shown = served.run(&format!("{plan} --output json"));
    let line = json_lines(&text(&shown)).into_iter().find(|line| line["type"] == "plan").unwrap();
    let detached = json!({"controller": CONTROLLER, "invocations": 101, "gb_seconds": 1389, "micro_dollars": 23268});
    assert_eq!(line["detached"], detached);
    let ticks = text(&served.run(&format!("{plan}=ticks")));
    assert!(!ticks.contains("costs"), "{ticks}");
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:hello";
    let role = "arn:aws:iam::123456789012:role/canaryctl-controller-scheduler-eu-west-1";
    expect(run(&format!("iam-policy {arn} --no-config --detach")), 0, role);
}

/// The Lambda runtime of a function that is invoked with one event, and its answer.
struct Runtime {
    listener: TcpListener,
}

impl Runtime {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self { listener }
    }

    /// Starts the binary as the runtime does, has it answer this event by so many seconds from now, and ends it.
    fn invoke(&self, served: &Served, event: &[u8], seconds: u64) -> Value {
        let address = self.listener.local_addr().unwrap().to_string();
        let mut bootstrap = canaryctl();
        bootstrap.envs([("AWS_LAMBDA_RUNTIME_API", address.as_str()), ("AWS_ENDPOINT_URL", &served.url)]);
        bootstrap.envs([("AWS_REGION", "us-east-1"), ("AWS_ACCESS_KEY_ID", CONTROLLER), ("AWS_SECRET_ACCESS_KEY", "any")]);
        bootstrap.envs([("AWS_LAMBDA_FUNCTION_NAME", CONTROLLER), ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")]);
        bootstrap.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256");
        bootstrap.envs([("AWS_LAMBDA_LOG_GROUP_NAME", "group"), ("AWS_LAMBDA_LOG_STREAM_NAME", "stream")]);
        let process = start(&mut bootstrap);
        let answer = self.serve(event, Duration::from_secs(seconds));
        kill(process);
        answer.unwrap()
    }

    /// Answers requests, one a connection, until one of them is the function's answer.
    fn serve(&self, event: &[u8], lasts: Duration) -> Result<Value, String> {
        let (began, deadline) = (Instant::now(), SystemTime::now() + lasts);
        while began.elapsed() < lasts + Duration::from_secs(30) {
            let Ok((mut stream, _)) = self.listener.accept() else {
                thread::sleep(Duration::from_millis(10));
                continue;
            };
            stream.set_nonblocking(false).unwrap();
            let (line, body) = read(&mut stream);
            match line.split(' ').nth(1).unwrap() {
                "/2018-06-01/runtime/invocation/next" => {
                    let deadline = deadline.duration_since(UNIX_EPOCH).unwrap().as_millis();
                    let arn = format!("arn:aws:lambda:us-east-1:111111111111:function:{CONTROLLER}");
                    write!(
                        stream,
                        "HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id: 1\r\nlambda-runtime-deadline-ms: {deadline}\r\n\
                         lambda-runtime-invoked-function-arn: {arn}\r\ncontent-type: application/json\r\nconnection: close\r\n\
                         content-length: {}\r\n\r\n",
                        event.len()
                    )
                    .unwrap();
                    stream.write_all(event).unwrap();
                }
                "/2018-06-01/runtime/invocation/1/response" => return Ok(serde_json::from_slice(&body).unwrap()),
                _ => return Err(format!("{line}: {}", String::from_utf8_lossy(&body))),
            }
        }
        Err("it never answered".to_owned())
    }
}

/// A request's first line and its body.
fn read(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut reader = BufReader::new(stream);
    let (mut first, mut line, mut length, mut chunked) = (String::new(), String::new(), 0, false);
    reader.read_line(&mut first).unwrap();
    while reader.read_line(&mut line).unwrap() > 2 {
        let header = line.to_ascii_lowercase();
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        chunked |= header.starts_with("transfer-encoding: chunked");
        line.clear();
    }
    let mut body = Vec::new();
    if chunked {
        loop {
            line.clear();
            reader.read_line(&mut line).unwrap();
            let size = usize::from_str_radix(line.trim(), 16).unwrap();
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).unwrap();
            if size == 0 {
                break;
            }
            body.extend_from_slice(&chunk[..size]);
        }
    } else {
        body.resize(length, 0);
        reader.read_exact(&mut body).unwrap();
    }
    (first, body)
}

/// What the one schedule there is invokes its function with.
fn input(served: &Served, name: &str) -> Vec<u8> {
    let host = served.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).unwrap();
    let signed = "AWS4-HMAC-SHA256 Credential=ME/20251124/us-east-1/scheduler/aws4_request, Signature=0";
    let path = format!("/schedules/{name}?groupName=canaryctl");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: {signed}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let body: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap_or_else(|_| panic!("{answer}"));
    body["Target"]["Input"].as_str().unwrap().as_bytes().to_vec()
}

/// Makes the schedule that the template calls the clock.
fn put_clock(served: &Served, arn: &str) {
    let host = served.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).unwrap();
    let signed = "AWS4-HMAC-SHA256 Credential=ME/20251124/us-east-1/scheduler/aws4_request, Signature=0";
    let input = json!({"v": 1, "turns": arn, "at": "<aws.scheduler.scheduled-time>"}).to_string();
    let target = json!({"Arn": arn, "RoleArn": "arn:aws:iam::111111111111:role/any", "Input": input});
    let body = json!({
        "GroupName": "canaryctl", "ScheduleExpression": "rate(1 minute)", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target,
    });
    let (path, body) = ("/schedules/clock.canaryctl-controller", body.to_string());
    let length = body.len();
    write!(stream, "POST {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: {signed}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(" 200 "), "{answer}");
}

#[test]
fn the_clocks_event_continues_every_rollout_whose_schedule_waits_for_it() {
    let served = Served::furnished(|world| {
        function(world, "hello", "live");
        function(world, "orders", "live");
        world.create_function(CONTROLLER, &[]).unwrap();
        world.create_schedule_group("canaryctl");
    });
    let arn = format!("arn:aws:lambda:us-east-1:111111111111:function:{CONTROLLER}");
    put_clock(&served, &arn);
    for name in ["hello", "orders"] {
        let begun = served.run(&format!("rollout {name} --steps 20 --every 8s --bake 1s --analysis off --no-config --detach"));
        assert_eq!(code(&begun), 0, "{}", text(&begun));
    }
    let event = json!({"v": 1, "turns": arn, "at": "once"}).to_string();
    let done = Runtime::start().invoke(&served, event.as_bytes(), 60);
    assert_eq!(done, json!({"rollouts": 2, "turns": 2, "over": 2, "problems": []}));
    assert!(served.promoted("hello", "live") && served.promoted("orders", "live"));
    assert_eq!(served.account.with(|world| world.schedules().len()), 1);
}

#[test]
fn the_binary_is_the_functions_bootstrap_and_takes_a_rollout_to_its_end() {
    let served = Served::furnished(|world| {
        function(world, "hello", "live");
        world.create_function(CONTROLLER, &[]).unwrap();
        world.create_schedule_group("canaryctl");
    });
    let begun = served.run("rollout hello --steps 20 --every 8s --bake 1s --analysis off --no-config --detach");
    assert_eq!(code(&begun), 0, "{}", text(&begun));
    assert!((served.share("2") - 0.2).abs() < 1e-9, "{}", served.share("2"));
    let schedules = || served.account.with(|world| world.schedules());
    let names = schedules();
    assert_eq!(names.len(), 1, "{names:?}");
    let event = input(&served, &names[0].1);
    let runtime = Runtime::start();
    // Its time is over before the next step is due.
    let waits = runtime.invoke(&served, &event, 15);
    assert_eq!((waits["next"].as_str(), waits["functions"][0]["next"].as_str()), (Some("wait"), Some("wait")), "{waits}");
    assert_eq!(schedules().len(), 1);
    let done = runtime.invoke(&served, &event, 60);
    assert_eq!((done["next"].as_str(), done["functions"][0]["outcome"].as_str()), (Some("done"), Some("promoted")), "{done}");
    assert!(served.promoted("hello", "live"));
    assert_eq!(schedules().len(), 0);
    // One that comes late finds nothing to do.
    let late = runtime.invoke(&served, &event, 15);
    assert_eq!((late["next"].as_str(), late["functions"][0]["outcome"].as_str()), (Some("done"), Some("unchanged")), "{late}");
}
