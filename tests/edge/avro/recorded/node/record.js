// Events as Node's serializers write them. Usage: node record.js FOLDER REGISTRY (Confluent-compatible).
const fs = require('fs');
const path = require('path');
const avsc = require('avsc');
const { SchemaRegistry, SchemaType } = require('@kafkajs/confluent-schema-registry');
const confluent = require('@confluentinc/schemaregistry');

const [folder, registry] = process.argv.slice(2);
const events = JSON.parse(fs.readFileSync(path.join(folder, 'events.json')));
const schemas = { ours: '../../../../schemas/invocation-event.avsc', booking: 'booking.avsc' };
const read = (file) => fs.readFileSync(path.join(folder, file), 'utf8');
const jsonSchema = read('../../../../schemas/invocation-event.schema.json');

// In the union of our variables avsc wants each value named by its branch; in a union of null and one type it does not.
const BRANCHES = { string: 'string', boolean: 'boolean' };
const wrapped = (value) => {
  if (value === null) return null;
  return { [BRANCHES[typeof value] || (Number.isInteger(value) ? 'long' : 'double')]: value };
};
const shaped = (name, fields) => name !== 'ours' ? fields : {
  ...fields,
  variables: Object.fromEntries(Object.entries(fields.variables).map(([scope, keys]) => [
    scope, Object.fromEntries(Object.entries(keys).map(([key, value]) => [key, wrapped(value)]))])),
};

const version = (name) => {
  for (const base of module.paths) {
    const file = path.join(base, name, 'package.json');
    if (fs.existsSync(file)) return JSON.parse(fs.readFileSync(file)).version;
  }
  return '';
};
const say = (library, name, event, framing, value, headers = {}) => console.log(JSON.stringify({
  by: `${library} ${version(name)}`,
  event,
  framing,
  value: Buffer.from(value).toString('hex'),
  headers: Object.fromEntries(Object.entries(headers).map(([key, bytes]) => [key, Buffer.from(bytes).toString('hex')])),
}));

async function main() {
  const kafkajs = new SchemaRegistry({ host: registry });
  for (const [event, fields] of Object.entries(events)) {
    const text = read(schemas[event]);
    const given = shaped(event, fields);
    say('JavaScript, avsc', 'avsc', event, 'bare', avsc.Type.forSchema(JSON.parse(text)).toBuffer(given));
    const { id } = await kafkajs.register({ type: SchemaType.AVRO, schema: text }, { subject: `js-${event}-value` });
    say('JavaScript, @kafkajs/confluent-schema-registry', '@kafkajs/confluent-schema-registry', event, 'Confluent, id',
      await kafkajs.encode(id, given));
    for (const [framing, place, url] of [
      ['Confluent, id', confluent.PrefixSchemaIdSerializer, registry],
      ['Confluent, GUID in a header', confluent.HeaderSchemaIdSerializer, 'mock://recorded'],
    ]) {
      const client = confluent.SchemaRegistryClient.newClient({ baseURLs: [url] });
      await client.register(`js2-${event}-value`, { schemaType: 'AVRO', schema: text });
      const serializer = new confluent.AvroSerializer(client, confluent.SerdeType.VALUE,
        { useLatestVersion: true, schemaIdSerializer: place });
      const headers = {};
      try {
        const value = await serializer.serialize(`js2-${event}`, given, headers);
        say('JavaScript, @confluentinc/schemaregistry', '@confluentinc/schemaregistry', event, framing, value, headers);
      } catch (error) {
        console.error(`@confluentinc/schemaregistry, ${event}, ${framing}: ${error.message}`);
      }
    }
  }
  const { id } = await kafkajs.register({ type: SchemaType.JSON, schema: jsonSchema }, { subject: 'js-json-value' });
  say('JavaScript, @kafkajs/confluent-schema-registry', '@kafkajs/confluent-schema-registry', 'ours',
    'Confluent, id, JSON', await kafkajs.encode(id, events.ours));
}

main();
