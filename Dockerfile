# One binary, linked with all it needs, on an image that holds nothing else but the certificates.
FROM rust:1.95-alpine AS build
RUN apk add --no-cache build-base ca-certificates
WORKDIR /source
COPY . .
RUN cargo build --release --locked --bin canaryctl

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /source/target/release/canaryctl /canaryctl
USER 65534
ENTRYPOINT ["/canaryctl"]
