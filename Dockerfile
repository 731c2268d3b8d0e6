# The images `controller` and `node`, for those who build with a container engine:
#     docker build --target controller --build-arg VERSION=$(git describe --tags --always) .
# `make image` makes the same two with Debian's tools alone; what is in them is said once, in tools/image.
FROM debian:trixie-slim AS build
COPY tools/deps /tmp/deps
COPY tools/image/node-packages /tmp/node-packages
RUN apt-get update && /tmp/deps build && \
	apt-get install -y --no-install-recommends binutils $(cat /tmp/node-packages)
ARG VERSION=unknown
ARG COMMIT=unknown
COPY . /src
RUN make -C /src -j"$(nproc)" MODE=release CC=gcc VERSION="$VERSION" COMMIT="$COMMIT" all && \
	strip --strip-all -o /rds-csi /src/build/release-gcc/rds-csi && \
	/src/tools/image/root / /rds-csi /controller && \
	/src/tools/image/root / /rds-csi /node $(cat /src/tools/image/node-programs)

FROM scratch AS node
COPY --from=build /node /
ENV PATH=/usr/sbin:/usr/bin
ENTRYPOINT ["/usr/bin/rds-csi"]

FROM scratch AS controller
COPY --from=build /controller /
USER 65532:65532
ENV PATH=/usr/sbin:/usr/bin
ENTRYPOINT ["/usr/bin/rds-csi"]
