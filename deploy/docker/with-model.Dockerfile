# The prediction server with the model of a study in it: run in the folder of the study
#   docker build --file …/deploy/docker/with-model.Dockerfile --tag my-model .
ARG SERVE=hounsfield-serve:latest
# hadolint ignore=DL3006
FROM ${SERVE}
COPY model /srv/model
